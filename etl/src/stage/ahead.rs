//! Decodes records on a thread of its own while earlier ones are written: decoding checks the hash of every body, which is a
//! quarter of the work.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result};
use bus::Delivered;

use super::rows::Row;
use super::stager::Stager;

/// Bytes of records that are decoded, or wait for it, while a part is written.
const BYTES: usize = 4 << 20;
/// Bytes that are decoded at a time, so that neither thread waits long for the other.
const PART: usize = 256 << 10;

/// Why there is no part: it has said its panic.
const ENDED: &str = "the thread that decodes records has ended";

/// A record, and its row or what is wrong with it.
type Decoded = (Delivered, Result<Row, String>);

/// The records that are not written yet.
pub struct Ahead {
    /// The thread ends when this is dropped.
    to: Sender<Vec<Delivered>>,
    from: Receiver<Vec<Decoded>>,
    /// Bytes of each part under way.
    waiting: VecDeque<usize>,
}

impl Ahead {
    /// Starts the thread.
    pub fn start() -> Result<Ahead> {
        let (to, parts) = channel::<Vec<Delivered>>();
        let (decoded, from) = channel();
        let decode_all = move || {
            for part in parts {
                if decoded.send(decode(part)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("decode".into());
        thread.spawn(decode_all).context("cannot start a thread")?;
        Ok(Ahead { to, from, waiting: VecDeque::new() })
    }

    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands what waits to the stager, in its order: what comes next is no batch.
    pub fn flush(&mut self, stager: &mut Stager) -> Result<()> {
        while !self.is_empty() {
            self.write(stager)?;
        }
        Ok(())
    }

    /// Has `next` decoded, and hands the oldest parts to the stager when enough are waiting.
    pub fn handle(&mut self, next: Vec<Delivered>, stager: &mut Stager) -> Result<()> {
        let (mut part, mut bytes) = (Vec::new(), 0);
        for record in next {
            bytes += record.record.size();
            part.push(record);
            if bytes >= PART {
                self.send(std::mem::take(&mut part), std::mem::take(&mut bytes))?;
            }
        }
        if !part.is_empty() {
            self.send(part, bytes)?;
        }
        while self.waiting.iter().sum::<usize>() > BYTES {
            self.write(stager)?;
        }
        Ok(())
    }

    /// Hands the oldest part to the stager, if there is one.
    pub fn write(&mut self, stager: &mut Stager) -> Result<()> {
        if self.waiting.pop_front().is_none() {
            return Ok(());
        }
        let part = self.from.recv().context(ENDED)?;
        part.into_iter().try_for_each(|(delivered, row)| stager.handle(&delivered, row))
    }

    fn send(&mut self, part: Vec<Delivered>, bytes: usize) -> Result<()> {
        self.to.send(part).ok().context(ENDED)?;
        self.waiting.push_back(bytes);
        Ok(())
    }
}

fn decode(records: Vec<Delivered>) -> Vec<Decoded> {
    let decoded = records.into_iter().map(|delivered| {
        let row = Row::decode(&delivered);
        (delivered, row)
    });
    decoded.collect()
}
