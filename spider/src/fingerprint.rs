//! A URL in 16 bytes: what the index and the filters know it by.
//!
//! The hash is keyed with a number drawn once per index, so nobody outside can make URLs that collide. One half stands
//! for the host: what collides by chance (one in 10^5 for ten million URLs of a host) stays within a host.

use std::hash::{BuildHasher, Hasher, RandomState};

use siphasher::sip::SipHasher13;

/// A URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// Its host.
    pub host: u64,
    /// All of it.
    pub url: u64,
}

/// The key of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u64; 2]);

impl Key {
    /// A new one.
    pub fn random() -> Key {
        // the standard library keys its maps from the operating system
        let draw = || RandomState::new().hash_one(0);
        Key([draw(), draw()])
    }

    /// Hash of a host.
    pub fn host(self, host: &str) -> u64 {
        self.hash(host.as_bytes())
    }

    /// Fingerprint of a URL whose host has the hash `host`.
    pub fn url(self, host: u64, url: &str) -> Fingerprint {
        Fingerprint { host, url: self.hash(url.as_bytes()) }
    }

    /// Fingerprint of a canonical URL.
    pub fn of(self, url: &web::Canonical) -> Fingerprint {
        self.url(self.host(url.host()), url.as_str())
    }

    fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0[0], self.0[1]);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Hasher for maps whose keys are hashes already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.rotate_left(23) ^ n;
    }
}

/// Makes [`Ready`].
pub type BuildReady = std::hash::BuildHasherDefault<Ready>;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn equal_urls_have_equal_fingerprints_and_keys_differ() {
        let url = web::canonicalise("http://h/a").unwrap();
        let key = Key::random();
        assert_eq!(key.of(&url), key.of(&url));
        assert_ne!(key.of(&url), Key::random().of(&url));
        let other = web::canonicalise("http://h/b").unwrap();
        assert_eq!(key.of(&url).host, key.of(&other).host);
        assert_ne!(key.of(&url).url, key.of(&other).url);
    }
}
