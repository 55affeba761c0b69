//! Tables of the file, and how they are known to be ours.

/// `PRAGMA application_id`: "kfsp". Another one is somebody else's file.
pub(super) const APPLICATION: i32 = 0x6b66_7370;

/// `PRAGMA user_version`: version of the tables below.
pub(super) const VERSION: i32 = 1;

/// The tables that exist from the start. Records stand in one table per partition ([`records`]).
///
/// `topics.name` is null while a deleted topic is being swept. Ids are never used again: a cached id of a topic that
/// is gone must not lead into another one.
pub(super) const TABLES: &str = "
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL,
    name TEXT UNIQUE,
    partitions INTEGER NOT NULL,
    cleanup TEXT NOT NULL
);
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic INTEGER NOT NULL,
    number INTEGER NOT NULL,
    next INTEGER NOT NULL DEFAULT 0,    -- offset of the next record
    time INTEGER NOT NULL DEFAULT 0,    -- last append time
    cleaned INTEGER NOT NULL DEFAULT 0, -- compacted below this offset
    kept INTEGER NOT NULL DEFAULT 0,    -- records that the last compaction left
    expiry INTEGER,                     -- when the oldest tombstone below it goes
    UNIQUE (topic, number)
);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    generation INTEGER NOT NULL DEFAULT 0, -- counts joins: who joined last is the member
    epoch INTEGER NOT NULL DEFAULT 0,      -- counts assignments
    member TEXT NOT NULL DEFAULT ''        -- for people
);
CREATE TABLE owners (
    grp INTEGER NOT NULL,
    part INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    revoking INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (grp, part)
) WITHOUT ROWID;
CREATE TABLE commits (
    grp INTEGER NOT NULL,
    part INTEGER NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (grp, part)
) WITHOUT ROWID;
";

/// Table of one partition's records: a B+ tree by offset, so that appending fills page after page, reading is
/// sequential, and what stands before the value is read without it.
pub(super) fn records(partition: i64) -> String {
    format!(
        "CREATE TABLE r{partition} (
            offset INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            key BLOB NOT NULL,
            headers BLOB NOT NULL,
            value BLOB
        )"
    )
}
