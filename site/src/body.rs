//! Bodies, and the ticket that notes a request when its body has gone out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::log::{Log, unix_ms};
use crate::{Event, Request};

/// Notes its request in the log when it is dropped: when the body is done, or the client has gone.
pub(crate) struct Ticket {
    log: Arc<Log>,
    request: Request,
}

impl Ticket {
    /// Starts now. `request` has the times still open.
    pub(crate) fn new(log: Arc<Log>, request: Request) -> Ticket {
        let (start_us, start_unix_ms) = (log.now_us(), unix_ms());
        Ticket { log, request: Request { start_us, start_unix_ms, ..request } }
    }

    pub(crate) fn status(&mut self, status: u16) {
        self.request.status = status;
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.request.bytes += bytes as u64;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.request.end_us = self.log.now_us();
        self.request.end_unix_ms = unix_ms();
        self.log.note(Event::Request(self.request.clone()));
    }
}

/// How the bytes go out.
pub(crate) enum Pace {
    /// All at once.
    Whole(Bytes),
    /// `bytes` at a time, with a pause before each piece.
    Drip { rest: Bytes, bytes: usize, every: Duration },
    /// The same piece for ever.
    Endless { piece: Bytes, every: Duration },
}

/// A body on its way.
pub(crate) struct Sending {
    pace: Pace,
    pause: Option<Pin<Box<Sleep>>>,
    ticket: Ticket,
}

impl Sending {
    pub(crate) fn new(pace: Pace, ticket: Ticket) -> Sending {
        let mut sending = Sending { pace, pause: None, ticket };
        sending.rest();
        sending
    }

    /// Sets the pause before the next piece.
    fn rest(&mut self) {
        let every = match &self.pace {
            Pace::Whole(_) => Duration::ZERO,
            Pace::Drip { every, .. } | Pace::Endless { every, .. } => *every,
        };
        self.pause = (!every.is_zero()).then(|| Box::pin(sleep(every)));
    }

    fn next(&mut self) -> Option<Bytes> {
        let piece = match &mut self.pace {
            Pace::Whole(bytes) => std::mem::take(bytes),
            Pace::Drip { rest, bytes, .. } => rest.split_to((*bytes).clamp(1, rest.len().max(1)).min(rest.len())),
            Pace::Endless { piece, .. } => piece.clone(),
        };
        (!piece.is_empty()).then_some(piece)
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(cx));
        }
        let piece = self.next();
        self.rest();
        self.ticket.sent(piece.as_ref().map_or(0, Bytes::len));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.pace {
            Pace::Whole(rest) | Pace::Drip { rest, .. } => rest.is_empty(),
            Pace::Endless { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.pace {
            Pace::Whole(rest) | Pace::Drip { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            Pace::Endless { .. } => SizeHint::default(),
        }
    }
}
