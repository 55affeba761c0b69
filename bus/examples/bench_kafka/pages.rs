//! Bodies of 10 KB, cut from real pages.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of a body.
pub const BODY: usize = 10_000;

/// The Rust documentation of this machine's toolchain.
pub fn documentation() -> PathBuf {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("no rustc; name a folder");
    Path::new(String::from_utf8_lossy(&sysroot.stdout).trim()).join("share/doc/rust/html")
}

/// So many bytes of the pages of a folder, from all over it, in pieces of [`BODY`] bytes.
pub fn cuts(folder: &Path, bytes: usize) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    collect(folder, &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no pages in {}; name another folder", folder.display());
    let total: u64 = paths.iter().filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum();
    let every = (total as usize / bytes).max(1);
    let (mut bodies, mut rest) = (Vec::with_capacity(bytes / BODY), Vec::new());
    // a small folder is read again and again
    for path in (0..every).cycle().flat_map(|from| paths.iter().skip(from).step_by(every)) {
        rest.extend(std::fs::read(path).unwrap_or_default());
        while rest.len() >= BODY {
            bodies.push(rest.drain(..BODY).collect());
            if bodies.len() * BODY >= bytes {
                return bodies;
            }
        }
    }
    bodies
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, into);
        } else if path.extension().is_some_and(|end| end == "html") {
            into.push(path);
        }
    }
}
