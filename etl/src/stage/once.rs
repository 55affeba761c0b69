//! Staging as a step of another command: `backfill`, and `verify --archive`.

use std::time::Duration;

use anyhow::Result;
use archive::DataDir;
use program::{Common, Shutdown};

use super::{Args, stage};
use crate::world;

/// Stages what is on the bus now, and with `from_start` also what this archive lacks of it; false when interrupted.
pub(crate) fn once(from_start: bool, common: &Common, shutdown: &Shutdown) -> Result<bool> {
    let args = Args {
        once: true,
        from_start,
        accept_loss: false,
        segment_bytes: 128 << 20,
        segment_rows: 1_000_000,
        segment_age: Duration::from_secs(3600),
        segment_idle: Duration::from_secs(600),
        memory: 64 << 20,
        instance: world::machine(),
        dry_run: false,
    };
    Ok(stage(&args, common, &DataDir::new(&common.data), shutdown)?.1)
}
