//! What there is to say about workspaces in a build without them.

use std::path::Path;

use anyhow::bail;
use selvedge::prelude::PipelineBuilder;

const ABSENT: &str = "this atlas was built without workspaces: run `cargo run --release --example \
                      atlas --features workspace -- --workspace DIR`";

pub fn stages(_: PipelineBuilder, _: &Path) -> anyhow::Result<PipelineBuilder> {
    bail!(ABSENT)
}

pub fn why(_: &Path, _: &str) -> anyhow::Result<String> {
    bail!(ABSENT)
}
