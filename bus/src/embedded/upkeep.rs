//! Retention and compaction, in small steps.

use rusqlite::Connection;

use super::{append, catalog};
use crate::Result;
use crate::clock::Clock;

/// Where the last step ended.
#[derive(Default)]
pub(super) struct State;

/// One short step. True while more is to do.
pub(super) fn step(connection: &mut Connection, clock: &Clock, _state: &mut State) -> Result<bool> {
    let _ = append::now(connection, clock)?;
    catalog::sweep(connection)
}
