//! What a person uses around the night, as they run it: `trace`, `doctor`, `backfill`, `verify --archive`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod backfill;
mod doctor;
#[path = "../support/night.rs"]
mod night;
mod repair;
#[path = "../support/mod.rs"]
mod support;
mod trace;
