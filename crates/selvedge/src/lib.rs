//! Event-driven pipelines on threads in which every value knows where it came from.
//!
//! This crate is the facade: it re-exports the layers and offers a [`prelude`].
//!
//! ```
//! use selvedge::prelude::*;
//!
//! #[derive(Event)]
//! struct Start { who: String }
//! #[derive(Event)]
//! struct Greet { who: String }
//!
//! struct Greeter;
//!
//! #[processor] // What it hears: the arms of the match.
//! impl Processor for Greeter {
//!     fn process(&mut self, cx: &mut Context, event: &Event) -> Result {
//!         match event {
//!             Start { who } => cx.emit(Greet { who: who.clone() }),
//!             Greet { who } => println!("hello {who}"),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let pipeline = Pipeline::builder().processor(Greeter).strict().build()?;
//! assert_eq!(pipeline.submit(Start { who: "world".into() })?, 1); // One processor hears it.
//! let report = pipeline.run()?;
//! assert_eq!(report.handled, 2);
//! # Ok::<(), anyhow::Error>(())
//! ```

pub use selvedge_event as event;
pub use selvedge_io as io;
pub use selvedge_runtime as runtime;

pub use anyhow;
pub use selvedge_event::{Digest, digest};
pub use serde_json::{Value, json};

pub mod prelude;
