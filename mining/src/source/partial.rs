//! Partials: what a miner makes of the documents of one row group, kept in a file so that it is made once.
//!
//! `<partials>/<kind>/day=D/<segment>-g<row group>-<identity of the rows>.bin`: `kind` names the work with its rules and
//! version, the identity is the hash that the segment's footer states for its rows (else of the file). A file that is there is
//! right, since it appears whole under its name; what no longer fits any segment is left alone. With `--shard I/N` a run makes
//! its share of the files and ends; `mine merge` joins them, and fails where one is missing.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use archive::DataSet;
use sha2::{Digest, Sha256};

use super::scan::Task;
use super::{Batch, Source};

/// A share of the work: files whose place leaves `index` when divided by `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parse = || {
            let (index, count) = text.split_once('/')?;
            let (index, count): (usize, usize) = (index.parse().ok()?, count.parse().ok()?);
            (1..=count).contains(&index).then(|| Shard { index: index - 1, count })
        };
        parse().ok_or_else(|| format!("`{text}` is not a share such as 1/4"))
    }
}

/// A share of the work is done, and the rest is for `mine merge`: no failure.
#[derive(Debug, thiserror::Error)]
#[error("{made} of {share} partials were made, the others were there; join all with `mine merge`")]
pub struct ShareDone {
    /// Files that were made.
    pub made: usize,
    /// Files of this share.
    pub share: usize,
    /// Files of all shares.
    pub all: usize,
}

impl Source {
    /// Makes the partials of a data set that are not there yet, and gives the paths of all, by batch.
    pub fn partials(
        &self,
        set: DataSet,
        kind: &str,
        columns: &[&str],
        what: &str,
        make: impl Fn(&Batch) -> Result<Vec<u8>> + Sync,
    ) -> Result<Vec<PathBuf>> {
        let tasks = self.tasks.get(&set).map_or(&[][..], Vec::as_slice);
        let folder = self.partials.join(kind);
        let paths: Vec<PathBuf> = tasks.iter().map(|task| path(&folder, task)).collect::<Result<_>>()?;
        let share = |number: usize| self.shard.is_none_or(|shard| number % shard.count == shard.index);
        let missing: Vec<usize> = (0..tasks.len()).filter(|&n| share(n) && !paths[n].is_file()).collect();
        if let (true, Some(first)) = (self.merging, missing.first()) {
            bail!(
                "{} of {} partials are missing, the first is {}: run every `--shard I/N` of this command, with the same \
                 flags, and bring the files together in {}",
                missing.len(),
                tasks.len(),
                paths[*first].display(),
                self.partials.display()
            );
        }
        if !missing.is_empty() {
            for path in &paths {
                let dir = path.parent().unwrap_or(&folder);
                archive::create_dir(dir).context("partials need a place: name one with --partials DIR")?;
            }
            let made = AtomicUsize::new(0);
            self.scan_tasks(
                set,
                &missing,
                columns,
                what,
                |batch| {
                    let bytes = make(batch)?;
                    archive::write_replace(&paths[batch.number], &bytes)
                        .context("partials need a place: name one with --partials DIR")?;
                    made.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
                |()| Ok(()),
            )?;
        }
        self.note_read(set);
        if self.shard.is_some() {
            let share = (0..tasks.len()).filter(|&n| share(n)).count();
            bail!(ShareDone { made: missing.len(), share, all: tasks.len() });
        }
        Ok(paths)
    }
}

fn path(folder: &Path, task: &Task) -> Result<PathBuf> {
    let identity = match &task.identity {
        Some(identity) => identity.to_string(),
        None => hash_file(&task.path).with_context(|| format!("cannot read segment {}", task.path.display()))?,
    };
    ensure!(identity.bytes().all(|b| b.is_ascii_hexdigit()), "{} has a strange hash", task.path.display());
    let stem = task.path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{stem}-g{:04}-{}.bin", task.group, &identity[..identity.len().min(16)]);
    Ok(folder.join(format!("day={}", task.day)).join(name))
}

/// SHA-256 of a file, hexadecimal.
pub fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!("1/1".parse(), Ok(Shard { index: 0, count: 1 }));
        assert_eq!("4/4".parse(), Ok(Shard { index: 3, count: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/4", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
