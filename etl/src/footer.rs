//! What a segment says of itself, in the key-value metadata of its Parquet footer.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use parquet::file::metadata::KeyValue;

use crate::row_hash;

/// The footer's facts. Every key stands as `kafkaspider.<field>` and every value is text, so that any Parquet tool shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footer {
    /// Id of the bus's cluster.
    pub cluster: String,
    /// Id of the topic, which a topic made anew does not share.
    pub topic_id: String,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// First offset of the interval.
    pub from: i64,
    /// Offset after the last.
    pub next: i64,
    /// Rows in the file.
    pub rows: u64,
    /// Smallest append time of the interval's records, milliseconds since 1970 UTC.
    pub min_time: i64,
    /// Largest.
    pub max_time: i64,
    /// Version of the columns, `archive::schema::VERSION`.
    pub schema: u32,
    /// Content hash of the rows; see [`row_hash`](crate::row_hash).
    pub hash: u128,
    /// Id of the archive.
    pub archive: String,
    /// Version of the extractor, in what was extracted.
    pub extractor: Option<String>,
    /// Bytes of the file before its indexes and footer, and their SHA-256, hexadecimal; not in segments of early versions.
    pub data: Option<(u64, String)>,
}

const PREFIX: &str = "kafkaspider.";

impl Footer {
    /// As key-value metadata.
    pub fn to_metadata(&self) -> Vec<KeyValue> {
        let mut pairs = vec![
            ("cluster", self.cluster.clone()),
            ("topic_id", self.topic_id.clone()),
            ("topic", self.topic.clone()),
            ("partition", self.partition.to_string()),
            ("from", self.from.to_string()),
            ("next", self.next.to_string()),
            ("rows", self.rows.to_string()),
            ("min_time", self.min_time.to_string()),
            ("max_time", self.max_time.to_string()),
            ("schema", self.schema.to_string()),
            ("hash", row_hash::hex(self.hash)),
            ("archive", self.archive.clone()),
        ];
        pairs.extend(self.extractor.clone().map(|e| ("extractor", e)));
        if let Some((bytes, sha256)) = &self.data {
            pairs.extend([("data_bytes", bytes.to_string()), ("data_sha256", sha256.clone())]);
        }
        pairs.into_iter().map(|(k, v)| KeyValue::new(format!("{PREFIX}{k}"), v)).collect()
    }

    /// Back from key-value metadata.
    pub fn from_metadata(metadata: Option<&Vec<KeyValue>>) -> Result<Footer> {
        let facts: BTreeMap<&str, &str> = metadata
            .into_iter()
            .flatten()
            .filter_map(|kv| Some((kv.key.strip_prefix(PREFIX)?, kv.value.as_deref()?)))
            .collect();
        let text = |key: &str| facts.get(key).copied().with_context(|| format!("the footer has no {PREFIX}{key}"));
        fn number<T: std::str::FromStr>(key: &str, text: &str) -> Result<T> {
            text.parse().ok().with_context(|| format!("{PREFIX}{key} in the footer is not a number: {text:?}"))
        }
        Ok(Footer {
            cluster: text("cluster")?.into(),
            topic_id: text("topic_id")?.into(),
            topic: text("topic")?.into(),
            partition: number("partition", text("partition")?)?,
            from: number("from", text("from")?)?,
            next: number("next", text("next")?)?,
            rows: number("rows", text("rows")?)?,
            min_time: number("min_time", text("min_time")?)?,
            max_time: number("max_time", text("max_time")?)?,
            schema: number("schema", text("schema")?)?,
            hash: row_hash::parse(text("hash")?)
                .with_context(|| format!("{PREFIX}hash in the footer is not a hash"))?,
            archive: text("archive")?.into(),
            extractor: facts.get("extractor").map(|e| (*e).to_owned()),
            data: match facts.get("data_sha256") {
                Some(sha256) => Some((number("data_bytes", text("data_bytes")?)?, (*sha256).to_owned())),
                None => None,
            },
        })
    }
}
