//! `serve`: a folder over loopback, by the test server, until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use site::{Error, Running, Site};

use crate::{exit, interrupt};

/// The port of demo and serve; fixed, so that what was crawled keeps its address.
pub(crate) const PORT: u16 = 8732;

/// Serves a folder over loopback by hand, as the demo does
///
/// Prints the address on standard output. With a site.toml in the folder, what that says: further hosts (127.0.0.2 …),
/// redirects, misbehaviour (see data/site/README.md). Ends with Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Folder to serve; index.html for a folder, a list of what is in it where that is missing
    #[arg(long, value_name = "DIR", default_value = "data/site")]
    site: PathBuf,
    /// Port on 127.0.0.1; 0 for a free one
    #[arg(long, value_name = "N", default_value_t = PORT)]
    port: u16,
    /// Append a line of JSON for each request and connection to this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

impl Serve {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        let mut site = open(&self.site)?.address(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port));
        if let Some(log) = &self.log {
            site = site.log(log);
        }
        let running = site.start().context("cannot serve (another --port?)")?;
        println!("{}", running.url("/"));
        eprintln!("serves {} until Ctrl-C", self.site.display());
        while interrupt::count() == 0 {
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Ok(exit::INTERRUPTED)
    }
}

/// The folder as a site; folders without an index list what is in them.
pub(crate) fn open(folder: &Path) -> anyhow::Result<Site> {
    let site = Site::folder(folder).context("cannot serve the folder (--site)")?;
    Ok(site.listing(true))
}

/// Serves on `port`, or on a free one when that is taken; tells which.
pub(crate) fn start(folder: &Path, port: u16) -> anyhow::Result<(Running, bool)> {
    let at = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    match open(folder)?.address(at(port)).start() {
        Ok(running) => Ok((running, false)),
        Err(Error::Bind { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => {
            Ok((open(folder)?.address(at(0)).start().context("cannot serve")?, true))
        }
        Err(error) => Err(error).context("cannot serve"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_taken_port_gives_a_free_one_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (first, moved) = start(folder.path(), 0).unwrap();
        assert!(!moved);
        let (second, moved) = start(folder.path(), first.addr().port()).unwrap();
        assert!(moved && second.addr() != first.addr());
    }
}
