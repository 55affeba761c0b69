//! Batches out: when one goes, and what its fate changes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bus::PublishError;
use tracing::warn;

use super::engine::{Engine, FLUSH, LOOK};
use super::outbox::Committed;
use super::publisher::Published;

/// How long requests under way are waited for by a crawl that is interrupted, or is asked for partitions.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// Wait before a batch that was aborted is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// Attempts to publish what was fetched last, when the crawl ends.
const LAST_ATTEMPTS: u32 = 50;

impl Engine {
    /// Publishes what waits, when a batch is full, old enough, or needed to go on.
    pub(super) fn flush(&mut self, idle: bool) {
        if !self.outbox.is_free()
            || !self.outbox.is_waiting()
            || self.aborted.is_some_and(|until| Instant::now() < until)
        {
            return;
        }
        let old = self.outbox.since().is_some_and(|since| since.elapsed() >= FLUSH);
        let starved = idle
            && (self.frontier.queues.len() == 0
                || (self.in_flight == 0 && self.frontier.queues.held_depth().is_some()));
        if !(old || starved || self.outbox.is_full() || self.shutdown.requested()) {
            return;
        }
        self.aborted = None;
        let (batch, dropped) = self.outbox.seal(&self.frontier);
        self.settle_claims(&dropped);
        if let Some(batch) = batch {
            self.publisher.publish(batch);
        }
    }

    pub(super) fn published(&mut self, published: Published) -> Result<()> {
        let Published { batch, result } = published;
        match result {
            Ok(receipt) => {
                let done = self.outbox.commit(&receipt, &mut self.frontier, self.clock.seconds());
                self.progress.committed(batch.outputs.len());
                self.settle_claims(&done);
                self.aborts = 0;
                self.drained = false;
                self.changed = true;
            }
            Err(PublishError::Lost(partitions)) => {
                self.outbox.take_back(batch);
                warn!(?partitions, "partitions are not ours any more; their work is dropped");
                for (_, partition) in partitions {
                    self.drop_partition(partition);
                }
            }
            Err(PublishError::Aborted(reason)) => {
                self.outbox.take_back(batch);
                if self.aborts.is_multiple_of(100) {
                    warn!(reason, "publishing is tried again");
                }
                self.aborts += 1;
                self.aborted = Some(Instant::now() + AGAIN);
            }
            Err(e) => return Err(e.into()),
        }
        self.release()
    }

    pub(super) fn settle_claims(&mut self, done: &Committed) {
        self.claims = self.claims.saturating_sub(done.claims as u64);
    }

    /// Ends in order: requests under way come to an end (for a while), and what was fetched is published.
    pub(super) fn drain(&mut self) -> Result<()> {
        self.progress.draining();
        let until = Instant::now() + GRACE;
        while self.in_flight > 0 && Instant::now() < until {
            if let Ok(message) = self.inbox.recv_timeout(LOOK) {
                self.handle(message)?;
            }
            self.flush(true);
        }
        while !self.outbox.is_empty() {
            if self.outbox.is_free() {
                let (batch, _) = self.outbox.seal(&self.frontier);
                match batch {
                    Some(batch) => self.publisher.publish(batch),
                    None => continue,
                }
            }
            if let Ok(message) = self.inbox.recv_timeout(LOOK) {
                self.handle(message)?;
            }
            if let Some(until) = self.aborted.take() {
                ensure!(
                    self.aborts < LAST_ATTEMPTS,
                    "what was fetched last could not be published; it is fetched again next time"
                );
                #[allow(clippy::disallowed_methods, reason = "a bounded pause between the last tries of a drain")]
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
        }
        Ok(())
    }
}
