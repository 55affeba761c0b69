//! Report runs: a folder that is finished only when `_SUCCESS` stands in it.
//!
//! A run is written under a hidden name, `.run=<id>.tmp`, held by its process. To finish it, every file is hashed and
//! synced, the manifest is written, then `_SUCCESS` as the last file, and then the folder takes its name `run=<id>`, each
//! durably. So wherever it stops, a reader sees a whole run or none; what a crash leaves under a hidden name is removed by
//! the next run of that miner and span.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::listing::{entries, name, read_json};
use crate::tmp::{TmpDir, abandoned_in};
use crate::{DataDir, Error, FileEntry, Manifest, Result, Span, durable};

/// Last file of a finished run; empty.
const SUCCESS: &str = "_SUCCESS";

/// A finished run that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Miner.
    pub miner: String,
    /// Span as it stands in the path: `day=2026-11-21` or `from=…,to=…`.
    pub span: String,
    /// Run id.
    pub run: String,
    /// Folder.
    pub path: PathBuf,
}

impl Run {
    /// Finished runs of a miner (all miners with `None`), oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a folder cannot be listed.
    pub fn list(data: &DataDir, miner: Option<&str>) -> Result<Vec<Run>> {
        Run::list_in(&data.all_reports(), miner)
    }

    /// The same in a folder of reports that is elsewhere (`--out`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a folder cannot be listed.
    pub fn list_in(reports: &Path, miner: Option<&str>) -> Result<Vec<Run>> {
        let miners = match miner {
            Some(miner) => vec![reports.join(miner)],
            None => entries(reports)?.into_iter().filter(|path| path.is_dir()).collect(),
        };
        let mut runs = Vec::new();
        for miner in miners {
            for span in entries(&miner)?.iter().filter(|path| path.is_dir() && name(path).parse::<Span>().is_ok()) {
                for path in entries(span)?.into_iter().filter(|path| path.join(SUCCESS).is_file()) {
                    if let Some(run) = name(&path).strip_prefix("run=") {
                        let run = run.to_owned();
                        runs.push(Run { miner: name(&miner), span: name(span), run, path });
                    }
                }
            }
        }
        // a UUIDv7 begins with its time
        runs.sort_by(|a, b| (&a.run, &a.path).cmp(&(&b.run, &b.path)));
        Ok(runs)
    }

    /// The run's manifest.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when it is damaged.
    pub fn manifest(&self) -> Result<Manifest> {
        read_json(&self.path.join("manifest.json"))
    }
}

/// A run that is being written. Dropping it without finishing removes it.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let reports = folder.path();
/// let span = archive::Span::day("2026-11-21".parse().unwrap());
/// let run = archive::RunDir::create(reports, "terms", span).unwrap();
/// std::fs::write(run.path().join("terms.csv"), "term,tf\nbus,3\n").unwrap();
/// let run = run.finish(archive::Manifest::default()).unwrap();
/// assert_eq!(run.manifest().unwrap().outputs[0].path, "terms.csv");
/// assert_eq!(archive::Run::list_in(reports, Some("terms")).unwrap(), [run]);
/// ```
#[derive(Debug)]
pub struct RunDir {
    tmp: TmpDir,
    run: Run,
}

impl RunDir {
    /// Makes the folder of a run of a miner over a span, in a folder of reports
    /// ([`DataDir::all_reports`], or `--out`). What crashed runs of the same miner and span left is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] for a miner that is no file name.
    pub fn create(reports: &Path, miner: &str, span: Span) -> Result<RunDir> {
        if miner.is_empty() || !miner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Error::invalid(Path::new(miner), "is not the name of a miner"));
        }
        let folder = reports.join(miner).join(span.to_string());
        durable::create_dir(&folder)?;
        for left in abandoned_in(&folder, |name| name.starts_with(".run=") && name.ends_with(".tmp"))? {
            drop(TmpDir::adopt(&left)?);
        }
        loop {
            let run = Uuid::now_v7().to_string();
            if let Some(tmp) = TmpDir::make(folder.join(format!(".run={run}.tmp")))? {
                let path = folder.join(format!("run={run}"));
                return Ok(RunDir { tmp, run: Run { miner: miner.to_owned(), span: span.to_string(), run, path } });
            }
        }
    }

    /// Where the files of the run are to be written.
    pub fn path(&self) -> &Path {
        self.tmp.path()
    }

    /// The run as it will be when it is finished.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Finishes the run. Miner, run id and outputs of the manifest are filled in: every file in the folder is listed with
    /// its hash and size, and with the rows of the entry of the same path, where the manifest has one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when the manifest lists an output that is not there.
    pub fn finish(self, mut manifest: Manifest) -> Result<Run> {
        let rows = manifest.outputs.iter().map(|entry| (entry.path.clone(), entry.rows));
        let mut rows: BTreeMap<String, Option<u64>> = rows.collect();
        let mut outputs = Vec::new();
        hash_files(self.path(), &mut outputs)?;
        for output in &mut outputs {
            output.rows = rows.remove(&output.path).flatten();
        }
        if let Some((path, _)) = rows.first_key_value() {
            return Err(Error::invalid(&self.path().join(path), "is listed as an output and is not there"));
        }
        manifest.miner.clone_from(&self.run.miner);
        manifest.run.clone_from(&self.run.run);
        manifest.outputs = outputs;
        let path = self.path().join("manifest.json");
        let json = serde_json::to_vec_pretty(&manifest).map_err(|error| Error::invalid(&path, error.to_string()))?;
        durable::write_new(&path, &json)?;
        durable::write_new(&self.path().join(SUCCESS), b"")?;
        // the id is new, so nothing can be replaced
        std::fs::rename(self.path(), &self.run.path).map_err(Error::io("cannot rename to", &self.run.path))?;
        durable::sync_dir(self.run.path.parent().unwrap_or(Path::new("")))?;
        Ok(self.run)
    }
}

/// Hashes every file in a folder while another thread syncs them, and syncs the folders.
fn hash_files(folder: &Path, found: &mut Vec<FileEntry>) -> Result<()> {
    let mut files = Vec::new();
    list_files(folder, "", &mut files)?;
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| files.iter().try_for_each(|(path, _)| durable::sync_file(path)));
        for (path, relative) in &files {
            let (sha256, bytes) = hash_file(path).map_err(Error::io("cannot read", path))?;
            found.push(FileEntry { path: relative.clone(), sha256, bytes, rows: None, ..FileEntry::default() });
        }
        syncing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The files of a folder and those below it, each with its path from there; the folders are synced.
fn list_files(folder: &Path, prefix: &str, found: &mut Vec<(PathBuf, String)>) -> Result<()> {
    for path in entries(folder)? {
        let relative = format!("{prefix}{}", name(&path));
        match path.is_dir() {
            true => list_files(&path, &format!("{relative}/"), found)?,
            false => found.push((path, relative)),
        }
    }
    durable::sync_dir(folder)
}

/// SHA-256, hexadecimal, and size of a file.
fn hash_file(path: &Path) -> std::io::Result<(String, u64)> {
    let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex::encode(hash.finalize()), bytes)),
            Ok(read) => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
