//! What the programs that tests start have in common. Whole-system tests are in `tests/`; the
//! README and the book are compiled and run from here, page by page.

#![forbid(unsafe_code)]

mod folder;
mod log;

pub use folder::copy_dir;
pub use log::Log;

macro_rules! pages {
    ($($page:ident => $path:literal),* $(,)?) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../", $path))]
            pub mod $page {}
        )*
    };
}

pages! {
    readme => "README.md",
    builders => "docs/book/builders.md",
    caching => "docs/book/caching.md",
    control => "docs/book/control.md",
    events => "docs/book/events.md",
    failures => "docs/book/failures.md",
    files => "docs/book/files.md",
    graphs => "docs/book/graphs.md",
    limits => "docs/book/limits.md",
    lineage => "docs/lineage.md",
    observing => "docs/book/observing.md",
    pipelines => "docs/book/pipelines.md",
    scopes => "docs/book/scopes.md",
    simulation => "docs/book/simulation.md",
    steps => "docs/book/steps.md",
    streams => "docs/book/streams.md",
    testing => "docs/book/testing.md",
}
