//! Typed dataflow graphs: nodes with three-way results, run as one-shot turns in scopes, in which
//! every value is known by its digest.

#![forbid(unsafe_code)]
