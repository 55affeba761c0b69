//! The SHA-256 of a file, read piece by piece.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Of the whole file.
pub fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    sha256_of_first(path, u64::MAX)
}

/// Of so many bytes at its begin, or of all where there are fewer.
pub fn sha256_of_first(path: &Path, bytes: u64) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?.take(bytes);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().into()),
            read => digest.update(&buffer[..read]),
        }
    }
}
