//! What a history answers, against a list of records and loops; the same for every backend.

#[path = "laws/model.rs"]
mod model;
#[path = "laws/questions.rs"]
mod questions;
