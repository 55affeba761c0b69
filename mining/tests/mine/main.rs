//! Drives the executable `mine` as a user does, over archives that the tests write themselves.

#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

mod cli;
mod cluster;
mod duplicates;
mod hosts;
mod keywords;
mod links;
mod memory;
mod mongo;
mod partials;
mod same;
mod sql;
mod terms;
mod truth;
