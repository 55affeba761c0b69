//! The contract of a bus: what every implementation promises, tested through [`Bus`] alone.
//!
//! A test target brings a [`Ground`] and instantiates the suite with [`contract_suite!`].

#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub mod basics;
pub mod crash;
pub mod member;
pub mod process;
pub mod topics;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bus::{
    Assignment, Batch, Bus, Cleanup, Cover, Delivered, Event, Headers, Options, Output, Reader, Record, TopicSpec,
};

/// Where a bus can be had that nobody else uses.
pub trait Ground {
    /// A new, empty bus.
    fn fresh() -> Self;
    /// A bus with the same records as this one, which nobody uses now.
    fn copy(&self) -> Self;
    /// Another handle of the same bus; the URL is what another process needs.
    fn url(&self) -> String;
    /// Makes the member of `group` give up one partition, as a rebalance does, which comes back once it is released.
    fn revoke(&self, bus: &Bus, group: &str, topic: &str, partition: u32);

    /// Opens it once more.
    fn open(&self) -> Bus {
        Bus::open(&self.url(), &options()).unwrap()
    }
}

/// Names the file of librdkafka properties, for other processes.
pub const CONFIG: &str = "BUS_TEST_CONFIG";

/// The same for this one.
pub static CONFIGURED: OnceLock<PathBuf> = OnceLock::new();

/// How a bus is opened.
pub fn options() -> Options {
    let config = CONFIGURED.get().cloned().or_else(|| std::env::var_os(CONFIG).map(PathBuf::from));
    Options { config, ..Options::default() }
}

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Makes one `#[test]` of every function of the suite, for one kind of bus.
#[macro_export]
macro_rules! contract_suite {
    ($ground:ty) => {
        $crate::contract_suite! { @ $ground;
            basics {
                order_within_a_partition_is_that_of_appending
                a_record_comes_back_as_it_was_written
                records_up_to_16_mib_pass_and_larger_ones_do_not
                reading_goes_on_from_a_time
                offsets_tell_start_and_end
            }
            crash {
                killed_at_random
            }
            topics {
                topics_are_made_once_with_their_settings
                another_number_of_partitions_is_refused
                what_is_missing_is_named
                a_topic_made_anew_is_another_one
            }
            member {
                publish_and_cover_are_one
                nothing_of_an_aborted_batch_is_visible
                a_cover_of_what_is_covered_only_fences
                a_partition_asked_back_stays_until_it_is_released
                a_member_that_has_left_cannot_publish
                a_dead_members_partitions_are_taken_over
                what_was_read_and_not_handled_is_read_again
                a_member_sees_what_others_append_while_it_waits
                a_paused_partition_is_silent_until_it_is_resumed
                seeking_reads_again
                batches_are_bounded_and_fair
                lag_counts_what_is_not_covered
                groups_do_not_meet
            }
        }

        /// Not a test: where processes begin that tests start.
        #[test]
        fn another_process() {
            $crate::contract::process::run();
        }
    };
    (@ $ground:ty; $($module:ident { $($test:ident)* })*) => {
        $( mod $module { $(
            #[test]
            fn $test() {
                $crate::contract::$module::$test::<$ground>();
            }
        )* } )*
    };
}

/// Whether a program can be run. Where it cannot, says that a test is not run; with `CI=true` that is a failure.
pub fn need_tool(program: &str, test: &str) -> bool {
    need_tool_by(program, "--version", test)
}

/// The same for a program that tells its version by another flag.
pub fn need_tool_by(program: &str, flag: &str, test: &str) -> bool {
    let found = std::process::Command::new(program).arg(flag).output().is_ok();
    if !found {
        eprintln!("not run: {test}: {program} is not installed");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs {program}");
    }
    found
}

pub fn topic(bus: &Bus, name: &str, partitions: u32) {
    bus.ensure(&[TopicSpec { name: name.into(), partitions, cleanup: Cleanup::Delete }]).unwrap();
}

pub fn record(key: &str, value: impl Into<Vec<u8>>) -> Record {
    let mut headers = Headers::default();
    headers.push("ce_id", key.to_owned());
    Record { key: key.to_owned().into(), value: Some(value.into().into()), headers }
}

pub fn output(topic: &str, partition: u32, key: &str, value: impl Into<Vec<u8>>) -> Output {
    Output { topic: topic.into(), partition, record: record(key, value) }
}

/// All that is committed in one partition.
pub fn all(bus: &Bus, topic: &str, partition: u32) -> Vec<Delivered> {
    let mut scan = bus.scan(topic, partition, 0).unwrap();
    let mut all = Vec::new();
    loop {
        let batch = scan.next_batch().unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

pub fn keys(records: &[Delivered]) -> Vec<String> {
    records.iter().map(|d| String::from_utf8(d.record.key.to_vec()).unwrap()).collect()
}

/// Polls until `want` finds what it is after.
pub fn wait<T>(reader: &mut Reader, mut want: impl FnMut(Event) -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = want(reader.poll(Duration::from_millis(200)).unwrap()) {
            return found;
        }
    }
    panic!("what a member waited for did not come within {PATIENCE:?}");
}

/// The next assignments.
pub fn assigned(reader: &mut Reader) -> Vec<Assignment> {
    wait(reader, |event| match event {
        Event::Assigned(a) => Some(a),
        _ => None,
    })
}

/// At least `n` records.
pub fn read(reader: &mut Reader, n: usize) -> Vec<Delivered> {
    let mut records = Vec::new();
    wait(reader, |event| {
        if let Event::Records(r) = event {
            records.extend(r);
        }
        (records.len() >= n).then_some(())
    });
    records
}

pub fn cover(assignment: &Assignment, next: i64) -> Cover {
    Cover { topic: assignment.topic.clone(), partition: assignment.partition, next, epoch: assignment.epoch }
}

pub fn batch(outputs: Vec<Output>, covers: Vec<Cover>) -> Batch {
    Batch { outputs, covers }
}
