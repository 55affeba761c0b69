//! Which table layout holds records best? Bare SQLite with the pragmas of the embedded log; 16 partitions, each batch
//! spread over them; durable write, sequential read, file size.
//!
//! `cargo run --release --workspace --example bench_layouts -- DIR`

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior, params};

const PARTITIONS: i64 = 16;

enum Layout {
    /// One rowid table per partition, rowid = offset.
    Tables,
    /// One rowid table, rowid = partition << 40 | offset.
    Shifted,
    /// One table without rowid, primary key (partition, offset).
    Keyed,
}

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "target".into());
    println!("layout       bytes/record  records   write MB/s   read MB/s   file/data");
    for (size, records, batch, spread) in [
        (10_000, 40_000, 1_000, 16),
        (40_000, 10_000, 250, 16),
        (60_000, 8_000, 200, 16),
        (150, 400_000, 1_000, 16),
        (10_000, 40_000, 1_000, 1),
        (150, 400_000, 1_000, 1),
    ] {
        for layout in [Layout::Tables, Layout::Shifted, Layout::Keyed] {
            run(&dir, &layout, size, records, batch, spread);
        }
    }
}

fn run(dir: &str, layout: &Layout, size: usize, records: i64, batch: i64, spread: i64) {
    let folder = tempfile::tempdir_in(dir).unwrap();
    let path = folder.path().join("layout.db");
    let mut db = open(&path);
    let name = match layout {
        Layout::Tables => {
            for p in 0..PARTITIONS {
                let columns = "(offset INTEGER PRIMARY KEY, time INTEGER, key BLOB, headers BLOB, value BLOB)";
                db.execute_batch(&format!("CREATE TABLE r{p} {columns}")).unwrap();
            }
            "tables"
        }
        Layout::Shifted => {
            let columns = "(id INTEGER PRIMARY KEY, time INTEGER, key BLOB, headers BLOB, value BLOB)";
            db.execute_batch(&format!("CREATE TABLE r {columns}")).unwrap();
            "shifted"
        }
        Layout::Keyed => {
            let columns = "(part INTEGER, offset INTEGER, time INTEGER, key BLOB, headers BLOB, value BLOB";
            db.execute_batch(&format!("CREATE TABLE r {columns}, PRIMARY KEY (part, offset)) WITHOUT ROWID")).unwrap();
            "without rowid"
        }
    };
    let (key, headers, value) = (vec![1_u8; 60], vec![2_u8; 40], vec![3_u8; size]);
    let start = Instant::now();
    let mut n = 0;
    while n < records {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        for _ in 0..batch {
            // Runs of four records go to one partition, as the links of a page do.
            let (part, offset) = (n / 4 % spread, n);
            let (time, key, headers, value) = (0_i64, &key, &headers, &value);
            match layout {
                Layout::Tables => {
                    let sql = format!("INSERT INTO r{part} VALUES (?1, ?2, ?3, ?4, ?5)");
                    tx.prepare_cached(&sql).unwrap().execute(params![offset, time, key, headers, value])
                }
                Layout::Shifted => {
                    let sql = "INSERT INTO r VALUES (?1, ?2, ?3, ?4, ?5)";
                    tx.prepare_cached(sql).unwrap().execute(params![part << 40 | offset, time, key, headers, value])
                }
                Layout::Keyed => {
                    let sql = "INSERT INTO r VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                    tx.prepare_cached(sql).unwrap().execute(params![part, offset, time, key, headers, value])
                }
            }
            .unwrap();
            n += 1;
        }
        tx.commit().unwrap();
    }
    let write = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut bytes = 0;
    for part in 0..spread {
        let sql = match layout {
            Layout::Tables => format!("SELECT time, key, headers, value FROM r{part}"),
            Layout::Shifted => {
                format!(
                    "SELECT time, key, headers, value FROM r WHERE id >= {} AND id < {}",
                    part << 40,
                    (part + 1) << 40
                )
            }
            Layout::Keyed => format!("SELECT time, key, headers, value FROM r WHERE part = {part}"),
        };
        let mut statement = db.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            bytes += row.get_ref(3).unwrap().as_blob().unwrap().to_vec().len();
        }
    }
    let read = start.elapsed().as_secs_f64();
    let data = records as f64 * (size + 100) as f64;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let file = std::fs::metadata(&path).unwrap().len() as f64;
    assert_eq!(bytes, records as usize * size);
    println!(
        "{name:<13}{size:>8} x{spread:<4}{records:>8}{:>13.0}{:>12.0}{:>12.2}",
        data / 1e6 / write,
        data / 1e6 / read,
        file / data
    );
}

fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA page_size = 65536; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 512; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;",
    )
    .unwrap();
    db.set_prepared_statement_cache_capacity(256);
    db
}
