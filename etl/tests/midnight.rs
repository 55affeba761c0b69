//! Midnight on Kafka: a day stays open while a transaction does that began in it, whatever was written since.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use archive::{DataDir, Day, Mark};
use bus::payload::Artefact;
use bus::topic::{self, ARTEFACTS};
use bus::{Bus, Options};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use support::{DAY, artefact, field, files, have, rows, text};
use xtask::services::{Kafka, Kind, Life};

const PARTITION: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic whose records have the times that we give them, while `work` is done: else there is no yesterday on a new broker.
fn with_times(hosts: &str, topic: &str, work: impl FnOnce()) {
    let alter = |kind: &str| {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", hosts).create().unwrap();
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic))
            .set("message.timestamp.type", kind)
            .set("max.message.bytes", "18874368");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let done = runtime.block_on(admin.alter_configs([&change], &AdminOptions::new())).unwrap();
        done.into_iter().for_each(|one| drop(one.unwrap()));
    };
    alter("CreateTime");
    work();
    alter("LogAppendTime");
}

fn producer(hosts: &str, transaction: Option<&str>) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", hosts);
    if let Some(id) = transaction {
        config.set("transactional.id", id).set("transaction.timeout.ms", "600000");
    }
    let producer: BaseProducer = config.create().unwrap();
    if transaction.is_some() {
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
    }
    producer
}

/// Writes one artefact with this time; it is on the broker when this returns.
fn write(producer: &BaseProducer, topic: &str, artefact: Artefact, time: i64) {
    let record = artefact.into_record();
    let headers = record
        .headers
        .0
        .iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(&value[..]) }));
    let written = BaseRecord::to(topic)
        .partition(PARTITION)
        .key(&record.key[..])
        .payload(record.value.as_deref().unwrap())
        .headers(headers)
        .timestamp(time);
    producer.send(written).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

fn stage(url: &str, data: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
    let output = command.args(["stage", "--once", "--quiet", "--bus", url, "--data"]).arg(data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

/// URLs of the rows of a day.
fn urls(data: &Path, day: Day) -> Vec<String> {
    let of_day = files(&data.join("artefacts").join(format!("day={day}")));
    let rows = of_day.iter().flat_map(|path| rows(path));
    rows.map(|row| field(&row, "url").to_string().trim_matches('"').to_owned()).collect()
}

#[test]
fn an_open_transaction_across_midnight_keeps_the_day_open() {
    if !have("java", "an_open_transaction_across_midnight_keeps_the_day_open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(Kind::Kafka, folder.path(), Life::Guarded).unwrap();
    let hosts = kafka.plain();
    for committed in [true, false] {
        let name = if committed { "committed" } else { "aborted" };
        let url = format!("{}/{name}.", kafka.url());
        let full = format!("{name}.{ARTEFACTS}");
        let bus = Bus::open(&url, &Options::default()).unwrap();
        bus.ensure(&[topic::artefacts(), topic::seals(), topic::dead_letters()]).unwrap();
        let midnight = bus.now().unwrap() / DAY * DAY;
        let (yesterday, today) = (Day::of_millis(midnight - 1), Day::of_millis(midnight));
        let page = |name: &str| artefact(&format!("http://example.org/{name}"), name);

        let (plain, slow) = (producer(hosts, None), producer(hosts, Some(name)));
        with_times(hosts, &full, || {
            write(&plain, &full, page("early"), midnight - 600_000);
            // written before midnight, decided after it
            write(&slow, &full, page("slow"), midnight - 1_000);
            write(&plain, &full, page("next-day"), midnight + 1);
        });
        let offsets = bus.offsets(ARTEFACTS, PARTITION as u32).unwrap();
        assert_eq!((offsets.stable, offsets.end), (1, 3), "the open transaction holds the last stable offset");

        let data = folder.path().join(format!("data-{name}"));
        let marked = || Mark::read(&DataDir::new(&data), yesterday).unwrap().len();
        // all that is stable of the day is sealed, and covered; again, since the second run begins with it
        for _ in 0..2 {
            stage(&url, &data);
            assert_eq!(urls(&data, yesterday), ["http://example.org/early"]);
            assert_eq!(marked(), 0, "{yesterday} is marked complete, though a transaction of it is open");
        }
        match committed {
            true => slow.commit_transaction(PATIENCE).unwrap(),
            false => slow.abort_transaction(PATIENCE).unwrap(),
        }
        stage(&url, &data);
        let mut found = urls(&data, yesterday);
        found.sort();
        let slow = ["http://example.org/early", "http://example.org/slow"];
        assert_eq!(found, slow[..if committed { 2 } else { 1 }]);
        assert_eq!(urls(&data, today), ["http://example.org/next-day"]);
        assert_eq!(marked(), 16, "{yesterday} is complete now");
    }
}
