//! Targets that are built when somebody asks for them, from streams of artifacts: builders, stream
//! operators, keyed joins and balanced workers, as processors of one pipeline.

#![forbid(unsafe_code)]

pub mod balancer;
pub mod operators;
pub mod rendezvous;
