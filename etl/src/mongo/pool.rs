//! The driver's pool of connections, which is left for a new one when an operation got no answer in time.
//!
//! The driver (3.9) opens at most two connections at once, and waits for the handshake of each without a deadline. Two whose
//! handshakes stall, because a packet filter has forgotten them or a peer is frozen, hold both places for ever: the
//! monitor's connection is well, so the pool is never cleared, and every operation waits in vain for a connection. A new
//! client has a new pool. Operations under way keep the old one until they end.

use std::sync::{Mutex, PoisonError};

use mongodb::error::Result;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};

/// A pool of connections to one database.
pub(super) struct Pool {
    options: ClientOptions,
    database: String,
    current: Mutex<(u64, Database)>,
}

impl Pool {
    /// A pool; it connects when it is used. Call it where tasks can be started.
    pub(super) fn new(options: ClientOptions, database: &str) -> Result<Pool> {
        let current = Mutex::new((0, open(&options, database)?));
        Ok(Pool { options, database: database.to_owned(), current })
    }

    /// The database, and the generation of the pool that serves it.
    pub(super) fn get(&self) -> (u64, Database) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves the pool of this generation, unless another operation has done it.
    pub(super) fn renew(&self, generation: u64) -> Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == generation {
            *current = (generation + 1, open(&self.options, &self.database)?);
        }
        Ok(())
    }
}

fn open(options: &ClientOptions, database: &str) -> Result<Database> {
    Ok(Client::with_options(options.clone())?.database(database))
}
