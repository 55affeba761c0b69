//! A thread that owns the writer: while a batch is made durable, fetching and deciding go on.

use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use bus::{Batch, PublishError, Receipt, Writer};

/// A batch with what became of it.
#[derive(Debug)]
pub struct Published {
    /// The batch.
    pub batch: Batch,
    /// Its receipt, or why it is not on the bus.
    pub result: Result<Receipt, PublishError>,
}

/// The thread.
pub struct Publisher {
    to: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts it; what it publishes is told on `done`.
    pub fn start<M: From<Published> + Send + 'static>(writer: Writer, done: Sender<M>) -> Result<Publisher> {
        let (to, batches) = sync_channel(1);
        let run = move || run(writer, &batches, &done);
        let thread = std::thread::Builder::new().name("publisher".into()).spawn(run);
        Ok(Publisher { to: Some(to), thread: Some(thread.context("cannot start the publisher thread")?) })
    }

    /// Hands it a batch; the one before must be done.
    pub fn publish(&self, batch: Batch) {
        if let Some(to) = &self.to {
            // it goes away only when it is dropped
            let _ = to.send(batch);
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.to.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run<M: From<Published>>(mut writer: Writer, batches: &Receiver<Batch>, done: &Sender<M>) {
    for batch in batches {
        let result = writer.publish(&batch);
        if done.send(Published { batch, result }.into()).is_err() {
            return;
        }
    }
}
