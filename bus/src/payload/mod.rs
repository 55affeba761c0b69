//! What the records of each topic mean: plain structs, to a record and back.
//!
//! Decoding never panics and refuses what does not fit with a reason that goes to the dead letter.

mod artefact;
mod beat;
mod discovered;
mod frontier;
mod seal;
mod tally;

pub use artefact::{Artefact, HttpHeaders};
pub use beat::Beat;
pub use discovered::Discovered;
pub use frontier::{State, UrlState};
pub use seal::{Seal, SealKey};
pub use tally::Tally;
