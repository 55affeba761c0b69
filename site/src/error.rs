//! What can go wrong when a site is started.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a site could not start, or a log not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder, site.toml or log file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// site.toml or a log line is not what it should be.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An address cannot be listened on.
    #[error("{address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Only loopback addresses are served.
    #[error("{0}: not a loopback address; this server is for tests and serves 127.0.0.0/8 only")]
    NotLoopback(SocketAddr),
    /// The threads cannot be started.
    #[error("cannot start the server's threads: {0}")]
    Threads(std::io::Error),
}
