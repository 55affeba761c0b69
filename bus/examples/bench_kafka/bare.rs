//! Bare rdkafka loops: what a program could do at best that promises nothing.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bus::Output;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::report::Measured;
use crate::threads::Threads;

/// Reads so many records of a topic from its beginning, with no group, and looks at nothing but the size of their values.
pub fn read(hosts: &str, topic: &str, records: usize, set: &[(String, String)], before: &Threads) -> Measured {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", hosts).set("group.id", "bare").set("enable.auto.commit", "false");
    config.extend(set.iter().cloned());
    let consumer: BaseConsumer = config.create().unwrap();
    let found = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    let mut all = TopicPartitionList::new();
    for partition in found.topics()[0].partitions() {
        all.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut began, mut bytes, mut seen) = (None, 0, 0);
    while seen < records {
        let Some(message) = consumer.poll(Duration::from_secs(5)) else { continue };
        let size = message.unwrap().payload_len();
        seen += 1;
        match began {
            None => began = Some(Instant::now()),
            Some(_) => bytes += size,
        }
    }
    Measured::new(bytes, began.unwrap(), before)
}

/// Writes records with no transaction; over when all are acknowledged.
pub fn write(
    hosts: &str,
    topic: &str,
    codec: &str,
    outputs: &[&Output],
    set: &[(String, String)],
    before: &Threads,
) -> Measured {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", hosts).set("acks", "all").set("compression.type", codec);
    if codec == "zstd" {
        // as the bus has it
        config.set("compression.level", "1");
    }
    config.extend(set.iter().cloned());
    let producer: BaseProducer = config.create().unwrap();
    producer.client().fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    let began = Instant::now();
    let mut bytes = 0;
    for output in outputs {
        let empty = OwnedHeaders::new_with_capacity(output.record.headers.0.len());
        let header = |all: OwnedHeaders, (key, value): &(Cow<'static, str>, bytes::Bytes)| {
            all.insert(Header { key: key.as_ref(), value: Some(&value[..]) })
        };
        let value = output.record.value.as_deref().unwrap_or_default();
        bytes += value.len();
        let mut record = BaseRecord::to(topic)
            .partition(i32::try_from(output.partition).unwrap())
            .key(&output.record.key[..])
            .payload(value)
            .headers(output.record.headers.0.iter().fold(empty, header));
        while let Err((error, back)) = producer.send(record) {
            assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    Measured::new(bytes, began, before)
}
