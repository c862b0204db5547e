//! What a history promises, through its public face; the same for every backend.

#[path = "laws/diary.rs"]
mod diary;
#[path = "laws/erasing.rs"]
mod erasing;
#[path = "laws/exports.rs"]
mod exports;
#[path = "laws/failing.rs"]
mod failing;
#[path = "laws/held.rs"]
mod held;
#[path = "laws/model.rs"]
mod model;
#[path = "laws/questions.rs"]
mod questions;
#[cfg(feature = "sqlite")]
#[path = "laws/tables.rs"]
mod tables;
#[path = "laws/upkeep.rs"]
mod upkeep;
