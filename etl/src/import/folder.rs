//! A folder as a site: its files in the order of their URLs, and a hash of all that they say.
//!
//! Symbolic links are followed within the folder; those that lead out of it only when that is wanted. A link to a folder
//! above itself is not followed, so a walk ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use program::{Progress, Shutdown};
use sha2::{Digest, Sha256};

use crate::file_hash::sha256;

/// Files of an index: their folder's URL leads to them.
const INDEX: [&str; 2] = ["index.html", "index.htm"];
/// Folders within folders that are followed.
const DEEPEST: usize = 100;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Folder {
    /// Files and redirects by URL.
    pub entries: BTreeMap<String, Entry>,
    /// What could not be read, with the reason.
    pub troubles: Vec<String>,
    /// Symbolic links that lead out of the folder and were not followed.
    pub outside: u64,
}

/// What stands behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file; the digest is known once it was hashed.
    File {
        /// Where it is.
        path: PathBuf,
        /// SHA-256 of its content.
        digest: [u8; 32],
    },
    /// A folder with an index: the URL of the index.
    Redirect(String),
}

/// The canonical URL of a folder, or why it is none.
pub fn base(text: &str) -> Result<String, String> {
    let folder = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    let base = web::canonicalise(&folder).map_err(|e| e.to_string())?.into_string();
    if base.contains(['?', '#']) { Err("it is the URL of a folder, without a query".into()) } else { Ok(base) }
}

impl Folder {
    /// Finds all files under `root`.
    pub fn walk(root: &Path, base: &str, follow: bool) -> Result<Folder> {
        let top = root.canonicalize().with_context(|| format!("cannot open the folder {}", root.display()))?;
        anyhow::ensure!(top.is_dir(), "{} is a file; --dir takes a folder", root.display());
        let mut folder = Folder::default();
        folder.enter(&top, &top, base, follow, &mut vec![top.clone()])?;
        Ok(folder)
    }

    fn enter(&mut self, top: &Path, dir: &Path, url: &str, follow: bool, above: &mut Vec<PathBuf>) -> Result<()> {
        let listed = match std::fs::read_dir(dir).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
            Ok(listed) => listed,
            Err(e) => {
                self.troubles.push(format!("cannot list {}: {e}", dir.display()));
                return Ok(());
            }
        };
        for entry in listed {
            let path = entry.path();
            let real = match path.canonicalize() {
                Ok(real) => real,
                Err(e) => {
                    self.troubles.push(format!("cannot follow {}: {e}", path.display()));
                    continue;
                }
            };
            if !real.starts_with(top) && !follow {
                self.outside += 1;
                continue;
            }
            let name = entry.file_name();
            let url = format!("{url}{}", escaped(name.as_encoded_bytes()));
            if real.is_dir() {
                if above.contains(&real) || above.len() > DEEPEST {
                    continue;
                }
                above.push(real);
                self.enter(top, &path, &format!("{url}/"), follow, above)?;
                above.pop();
            } else if real.is_file() {
                self.add(path, &url, &name.to_string_lossy());
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, url: &str, name: &str) {
        let url = match web::canonicalise(url) {
            Ok(url) => url.into_string(),
            Err(e) => return self.troubles.push(format!("{} has no URL: {e}", path.display())),
        };
        if INDEX.contains(&name)
            && let Some(folder) = url.strip_suffix(name)
        {
            // of two indexes the first by name, whatever the order of the folder
            let target = self.entries.get(folder).map(|old| matches!(old, Entry::Redirect(old) if *old < url));
            if target != Some(true) {
                self.entries.insert(folder.to_owned(), Entry::Redirect(url.clone()));
            }
        }
        match self.entries.get_mut(&url) {
            // Two names may be one URL; the first name counts, whatever the order of the folder.
            Some(Entry::File { path: old, .. }) => {
                let (kept, dropped) = if *old < path { (old.clone(), path) } else { (path, old.clone()) };
                *old = kept;
                self.troubles.push(format!("{} has the URL of another file, {url}", dropped.display()));
            }
            _ => drop(self.entries.insert(url, Entry::File { path, digest: [0; 32] })),
        }
    }

    /// Reads every file; the hash of base, crawl, URLs and contents, hexadecimal. None when it was asked to stop. Files that
    /// cannot be read are left out.
    pub fn hash(&mut self, crawl: &str, progress: &Progress, shutdown: &Shutdown) -> Result<Option<String>> {
        let mut all = Sha256::new();
        let mut add = |part: &[u8]| {
            all.update((part.len() as u64).to_le_bytes());
            all.update(part);
        };
        add(crawl.as_bytes());
        let mut unreadable = Vec::new();
        for (url, entry) in &mut self.entries {
            if shutdown.requested() {
                return Ok(None);
            }
            progress.add(1);
            let content = match entry {
                Entry::Redirect(to) => to.as_bytes().to_vec(),
                Entry::File { path, digest } => match sha256(path) {
                    Ok(found) => {
                        *digest = found;
                        found.to_vec()
                    }
                    Err(e) => {
                        self.troubles.push(format!("cannot read {}: {e}", path.display()));
                        unreadable.push(url.clone());
                        continue;
                    }
                },
            };
            add(url.as_bytes());
            add(&content);
        }
        for url in unreadable {
            self.entries.remove(&url);
            self.entries.retain(|_, entry| !matches!(entry, Entry::Redirect(to) if *to == url));
        }
        Ok(Some(hex::encode(all.finalize())))
    }
}

/// One segment of a path, with all bytes but those that RFC 3986 lets stand there as %XX.
fn escaped(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for &byte in name {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_base_is_the_url_of_a_folder() {
        assert_eq!(base("HTTP://Example.org:80/doc").unwrap(), "http://example.org/doc/");
        assert!(base("http://example.org/?q").is_err() && base("docs").is_err() && base("ftp://x/").is_err());
    }

    #[test]
    fn files_have_the_urls_of_their_paths_and_an_index_its_folders_too() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a b")).unwrap();
        for name in ["index.html", "a b/index.html", "a b/ü?.txt"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a b/loop")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("away")).unwrap();
        let folder = Folder::walk(dir.path(), "http://h/", false).unwrap();
        let urls: Vec<&str> = folder.entries.keys().map(String::as_str).collect();
        assert_eq!(
            urls,
            [
                "http://h/",
                "http://h/a%20b/",
                "http://h/a%20b/%C3%BC%3F.txt",
                "http://h/a%20b/index.html",
                "http://h/index.html"
            ]
        );
        assert_eq!(folder.entries["http://h/"], Entry::Redirect("http://h/index.html".into()));
        assert_eq!((folder.outside, folder.troubles.len()), (1, 0));
    }
}
