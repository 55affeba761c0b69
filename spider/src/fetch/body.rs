//! A body read to its end, its limit or its deadline, and decoded, in bounded memory.
//!
//! A body is held freely up to [`Room::small`] bytes. Beyond that it needs one of a few permits, which goes along with
//! the body until it is published: so however many fetches run and however large what they find, no more than that
//! many large bodies are in memory. Waiting for a permit stops reading, and does not count against the deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::decode::{self, Coding, Decoded};
use super::error::{Class, Failure};

/// Large bodies in memory at a time.
const LARGE_BODIES: usize = 3;
/// Bodies that are not large may take this much together.
const SMALL_TOGETHER: usize = 16 << 20;

/// Memory for bodies, shared by all fetches.
#[derive(Debug, Clone)]
pub struct Room {
    small: usize,
    large: Arc<Semaphore>,
}

impl Room {
    /// For that many fetches at a time.
    pub fn new(concurrency: usize) -> Room {
        let small = (SMALL_TOGETHER / concurrency.max(1)).clamp(64 << 10, 512 << 10);
        Room { small, large: Arc::new(Semaphore::new(LARGE_BODIES)) }
    }

    async fn large(&self) -> Option<OwnedSemaphorePermit> {
        // the semaphore is never closed
        self.large.clone().acquire_owned().await.ok()
    }
}

/// Limits on reading one body.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes, after decoding.
    pub bytes: usize,
    /// Longest pause between two pieces.
    pub idle: Duration,
    /// End of the whole fetch.
    pub deadline: Instant,
}

/// A body as it is kept.
#[derive(Debug, Default)]
pub struct Body {
    /// Decoded, at most the limit.
    pub bytes: Vec<u8>,
    /// There was more.
    pub truncated: bool,
    /// Held while a large body is in memory.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Reads the body of `response` and undoes `layers` of encoding.
pub async fn read(
    mut response: reqwest::Response,
    layers: &[Coding],
    room: &Room,
    limits: Limits,
) -> Result<Body, Failure> {
    let raw = collect(&mut response, room, limits).await?;
    // closes the connection when the body was not read to its end
    drop(response);
    if layers.is_empty() {
        return Ok(raw);
    }
    let whole = !raw.truncated;
    let mut permit = raw.permit;
    let small = room.small.min(limits.bytes);
    let mut decoded = decode::decode(&raw.bytes, layers, small, whole)?;
    if decoded.body.len() == small && small < limits.bytes && decoded.cut {
        if permit.is_none() {
            permit = room.large().await;
        }
        decoded = decode::decode(&raw.bytes, layers, limits.bytes, whole)?;
    }
    let Decoded { body: mut bytes, cut: truncated } = decoded;
    bytes.shrink_to_fit();
    Ok(Body { bytes, truncated, permit })
}

/// The bytes as they were sent.
async fn collect(response: &mut reqwest::Response, room: &Room, limits: Limits) -> Result<Body, Failure> {
    let said = response.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let mut body = Body { bytes: Vec::with_capacity(said.min(room.small)), ..Body::default() };
    let mut deadline = limits.deadline;
    loop {
        let until = deadline.min(Instant::now() + limits.idle);
        let chunk = match tokio::time::timeout_at(until, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|e| Failure::of(&e, false))?,
            Err(_) => {
                let what =
                    if until == deadline { "the whole fetch took too long" } else { "the body paused for too long" };
                return Err(Failure::passing(Class::Timeout, what));
            }
        };
        let Some(chunk) = chunk else { break };
        if body.permit.is_none() && body.bytes.len() + chunk.len() > room.small {
            let before = Instant::now();
            body.permit = room.large().await;
            deadline += before.elapsed();
            body.bytes.reserve(said.min(limits.bytes).saturating_sub(body.bytes.len()));
        }
        let left = limits.bytes - body.bytes.len();
        if chunk.len() > left {
            body.bytes.extend_from_slice(&chunk[..left]);
            body.truncated = true;
            break;
        }
        body.bytes.extend_from_slice(&chunk);
    }
    if body.bytes.capacity() > body.bytes.len() + body.bytes.len() / 4 {
        body.bytes.shrink_to_fit();
    }
    Ok(body)
}
