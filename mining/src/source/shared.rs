//! Work on the rows of a data set that may be shared out: what is made of a row group depends on it alone. In a run of its own it
//! is made when it is needed and kept nowhere; `--shard I/N` keeps it in files, which `mine merge` reads in place of the rows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use archive::DataSet;
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Batch, Source};

/// First bytes of a file, before JSON in a zstd frame with a check sum.
const MAGIC: &[u8; 8] = b"KSPART1\n";

/// What is made of each row group of a data set.
pub struct Shared<'a, F> {
    source: &'a Source,
    set: DataSet,
    columns: &'a [&'a str],
    what: &'a str,
    make: F,
    /// The files by row group, where partials are joined.
    paths: Option<Vec<PathBuf>>,
}

impl Source {
    /// Gets ready to make something of each row group. With `--shard` it is made here and the run ends; in `mine merge` every
    /// file must be there. `kind` names the work and its version.
    pub fn shared<'a, P, F>(
        &'a self,
        set: DataSet,
        kind: &str,
        columns: &'a [&'a str],
        what: &'a str,
        make: F,
    ) -> Result<Shared<'a, F>>
    where
        P: Serialize + DeserializeOwned + Send,
        F: Fn(&Batch) -> Result<P> + Sync,
    {
        let sharing = self.shard.is_some() || self.merging;
        let keep = |batch: &Batch| packed(&make(batch)?);
        let paths = sharing.then(|| self.partials(set, kind, columns, what, keep)).transpose()?;
        Ok(Shared { source: self, set, columns, what, make, paths })
    }
}

impl<F> Shared<'_, F> {
    /// Works on what is made of each row group, given the row group's number, on as many threads as there are; results arrive
    /// in any order.
    pub fn each<P, R>(
        &self,
        work: impl Fn(usize, P) -> Result<R> + Sync,
        mut absorb: impl FnMut(R) -> Result<()>,
    ) -> Result<()>
    where
        P: Serialize + DeserializeOwned + Send,
        F: Fn(&Batch) -> Result<P> + Sync,
        R: Send,
    {
        let Some(paths) = &self.paths else {
            let one = |batch: &Batch| work(batch.number, (self.make)(batch)?);
            return self.source.scan(self.set, self.columns, self.what, one, absorb);
        };
        self.source.note_read(self.set);
        let numbered: Vec<(usize, &PathBuf)> = paths.iter().enumerate().collect();
        for some in numbered.chunks(self.source.threads.max(1)) {
            self.source.go_on()?;
            let one = |&(number, path): &(usize, &PathBuf)| {
                let damaged = || format!("{} is damaged; remove it, and run its --shard again", path.display());
                work(number, unpacked(path).with_context(damaged)?)
            };
            some.par_iter().map(one).collect::<Result<Vec<R>>>()?.into_iter().try_for_each(&mut absorb)?;
        }
        Ok(())
    }
}

fn packed(part: &impl Serialize) -> Result<Vec<u8>> {
    let mut frame = zstd::stream::Encoder::new(MAGIC.to_vec(), 1)?;
    frame.include_checksum(true)?;
    serde_json::to_writer(std::io::BufWriter::new(&mut frame), part)?;
    Ok(frame.finish()?)
}

fn unpacked<P: DeserializeOwned>(path: &Path) -> Result<P> {
    let bytes = std::fs::read(path)?;
    let frame = bytes.strip_prefix(MAGIC).context("it is no partial of this version")?;
    let json = zstd::stream::decode_all(frame)?;
    ensure!(!json.is_empty(), "it ends too soon");
    serde_json::from_slice(&json).map_err(|error| anyhow!("{error}"))
}

/// Counts by key as a list, since a key of JSON is a text.
pub mod pairs {
    use polars::prelude::PlHashMap;
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// In the order of the keys.
    pub fn serialize<K: Serialize + Ord, S: Serializer>(counts: &PlHashMap<K, u64>, to: S) -> Result<S::Ok, S::Error> {
        let mut pairs: Vec<(&K, &u64)> = counts.iter().collect();
        pairs.sort_unstable();
        pairs.serialize(to)
    }

    /// The same again.
    pub fn deserialize<'de, K, D>(from: D) -> Result<PlHashMap<K, u64>, D::Error>
    where
        K: DeserializeOwned + std::hash::Hash + Eq,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, u64)>::deserialize(from)?.into_iter().collect())
    }
}
