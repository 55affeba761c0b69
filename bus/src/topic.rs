//! Every topic there is, with its settings and its limits; and which partition a host belongs to.

/// Partitions of `discovered`, `frontier` and `artefacts`: the same for all three, and for life.
pub const PARTITIONS: u32 = 16;
/// Largest body, bytes.
pub const MAX_BODY: usize = 15 << 20;
/// Largest record (key, value, headers), bytes.
pub const MAX_RECORD: usize = 16 << 20;
/// Largest dead letter, bytes.
pub const MAX_DEAD_LETTER: usize = 17 << 20;
/// Most records in one publish.
pub const MAX_BATCH_RECORDS: usize = 1_000;
/// Most bytes in one publish, unless it is a single record.
pub const MAX_BATCH_BYTES: usize = 16 << 20;
/// How long the bus keeps a record of a topic with [`Cleanup::Delete`]: 30 days, in milliseconds.
pub const RETENTION_MS: i64 = 30 * 24 * 3600 * 1000;

/// Bodies with their attributes; key url, partition of host.
pub const ARTEFACTS: &str = "artefacts";
/// What was sealed; key archive, topic, partition; compacted.
pub const SEALS: &str = "seals";
/// Life signs of programs; key program instance; compacted.
pub const BEATS: &str = "beats";
/// Records that could not be handled.
pub const DEAD_LETTERS: &str = "dead-letters";

/// How old records leave a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// After [`RETENTION_MS`].
    Delete,
    /// When a newer record has the same key; a tombstone goes after a day.
    Compact,
}

/// A topic and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name, without the prefix of the bus URL.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// How old records leave it.
    pub cleanup: Cleanup,
}

fn spec(name: impl Into<String>, partitions: u32, cleanup: Cleanup) -> TopicSpec {
    TopicSpec { name: name.into(), partitions, cleanup }
}

/// Candidates of a crawl: key host.
pub fn discovered(crawl: &str) -> TopicSpec {
    spec(format!("discovered.{crawl}"), PARTITIONS, Cleanup::Delete)
}

/// State of each URL of a crawl: key url.
pub fn frontier(crawl: &str) -> TopicSpec {
    spec(format!("frontier.{crawl}"), PARTITIONS, Cleanup::Compact)
}

/// Counts of a crawl: key partition, one partition.
pub fn tallies(crawl: &str) -> TopicSpec {
    spec(format!("tallies.{crawl}"), 1, Cleanup::Compact)
}

/// [`ARTEFACTS`].
pub fn artefacts() -> TopicSpec {
    spec(ARTEFACTS, PARTITIONS, Cleanup::Delete)
}

/// [`SEALS`].
pub fn seals() -> TopicSpec {
    spec(SEALS, 1, Cleanup::Compact)
}

/// [`BEATS`].
pub fn beats() -> TopicSpec {
    spec(BEATS, 1, Cleanup::Compact)
}

/// [`DEAD_LETTERS`].
pub fn dead_letters() -> TopicSpec {
    spec(DEAD_LETTERS, 1, Cleanup::Delete)
}

/// Group of the spiders of a crawl.
pub fn spider_group(crawl: &str) -> String {
    format!("spider.{crawl}")
}

/// Group of the stagers.
pub const STAGE_GROUP: &str = "stage";

/// Partition of a key: `toPositive(murmur2(key)) mod partitions`, as Kafka's default partitioner does it.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// MurmurHash2, 32 bits, seed 0x9747b28c, as in Kafka's `Utils.murmur2`.
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h: u32 = 0x9747_b28c ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for w in &mut words {
        let k = u32::from_le_bytes([w[0], w[1], w[2], w[3]]).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (i, b) in rest.iter().enumerate() {
            h ^= u32::from(*b) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_kafka_clients() {
        // Vectors of Kafka's own UtilsTest.testMurmur2.
        for (key, want) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, want, "{key}");
        }
    }
}
