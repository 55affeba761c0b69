//! Classes of failure: what `ce_error` says, and whether trying again may help.

use std::error::Error as StdError;
use std::io;

use super::address::Blocked;

/// Class of a failed fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The name has no address.
    Dns,
    /// No connection, or it broke before an answer came.
    Connect,
    /// The TLS handshake failed (certificate, protocol).
    Tls,
    /// A deadline passed.
    Timeout,
    /// The header block is over the limit. (A body over the limit is cut, which is no failure.)
    TooLarge,
    /// robots.txt forbids it, or robots.txt itself answers with a server error.
    Robots,
    /// Every address of the host is one that must not be reached.
    BlockedAddress,
    /// More than ten redirects in a row.
    Redirects,
    /// The answer is not HTTP, or ended before it was whole.
    Protocol,
    /// The body does not decode as its Content-Encoding says.
    Decode,
}

impl Class {
    /// Name in `ce_error`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Dns => "dns",
            Class::Connect => "connect",
            Class::Tls => "tls",
            Class::Timeout => "timeout",
            Class::TooLarge => "too_large",
            Class::Robots => "robots",
            Class::BlockedAddress => "blocked_address",
            Class::Redirects => "redirects",
            Class::Protocol => "protocol",
            Class::Decode => "decode",
        }
    }
}

/// A failed fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// Trying again later may help.
    pub transient: bool,
    /// For people, in logs.
    pub reason: String,
}

impl Failure {
    /// A failure that stays.
    pub fn lasting(class: Class, reason: impl Into<String>) -> Failure {
        Failure { class, transient: false, reason: reason.into() }
    }

    /// A failure that may pass.
    pub fn passing(class: Class, reason: impl Into<String>) -> Failure {
        Failure { class, transient: true, reason: reason.into() }
    }

    /// What went wrong when a request was sent or its answer read.
    pub fn of(error: &reqwest::Error, https: bool) -> Failure {
        let reason = innermost(error);
        if find::<Blocked>(error).is_some() {
            return Failure::lasting(Class::BlockedAddress, reason);
        }
        if find::<NoAddress>(error).is_some() {
            return Failure::passing(Class::Dns, reason);
        }
        if error.is_timeout() || find::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::TimedOut) {
            return Failure::passing(Class::Timeout, reason);
        }
        if error.is_connect() {
            // an error of the operating system has a number; those of the TLS library have none
            let system = find::<io::Error>(error).is_some_and(|e| e.raw_os_error().is_some());
            return match https && !system {
                true => Failure::lasting(Class::Tls, reason),
                false => Failure::passing(Class::Connect, reason),
            };
        }
        if error.is_builder() {
            return Failure::lasting(Class::Protocol, reason);
        }
        match find::<hyper::Error>(error) {
            Some(e) if e.is_parse_too_large() => {
                Failure::lasting(Class::TooLarge, "the header block is over the limit")
            }
            Some(e) if e.is_parse() => Failure::lasting(Class::Protocol, reason),
            // closed or reset before the answer was whole
            _ => Failure::passing(Class::Protocol, reason),
        }
    }
}

/// A name that could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("no address for {name}: {reason}")]
pub struct NoAddress {
    /// The name.
    pub name: String,
    /// Why.
    pub reason: String,
}

fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(found) = e.downcast_ref::<E>() {
            return Some(found);
        }
        next = e.source();
    }
    None
}

fn innermost(error: &reqwest::Error) -> String {
    let mut deepest: &dyn StdError = error;
    while let Some(e) = deepest.source() {
        deepest = e;
    }
    deepest.to_string()
}
