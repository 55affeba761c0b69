//! What people meet: each is one line that names cause and remedy, within 15 seconds, and tells no secret.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bus::{Bus, Options};
use xtask::services::{Kafka, Kind};

use super::OnKafka;
use crate::contract::*;
use crate::ground::{start, write};

fn secured() -> &'static Kafka {
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    BROKER.get_or_init(|| start(Kind::KafkaSasl, "errors"))
}

/// Opens with these changes to alice's properties; the error must come in time.
fn refused(url: &str, changes: &[(&str, &str)]) -> String {
    let folder = secured().folder();
    let mut text = std::fs::read_to_string(folder.join("alice.properties")).unwrap();
    for (name, value) in changes {
        let kept: Vec<&str> = text.lines().filter(|l| !l.starts_with(&format!("{name}="))).collect();
        text = format!("{}\n{name}={value}\n", kept.join("\n"));
    }
    let unique: String = changes.iter().map(|(_, value)| value.replace('/', "_")).collect();
    let config = write(folder, &format!("changed-{unique}.properties"), &text);
    let began = Instant::now();
    let error = Bus::open(url, &Options { config: Some(config), ..Options::default() }).err().expect("it was let in");
    let error = error.to_string();
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}: {error}", began.elapsed());
    assert!(!error.contains('\n'), "{error}");
    for secret in ["alice-secret", "s3cret"] {
        assert!(!error.contains(secret), "{error}");
    }
    eprintln!("{error}");
    error
}

fn has(error: &str, words: &[&str]) {
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn a_user_with_the_right_password_is_let_in() {
    let config = secured().folder().join("alice.properties");
    let bus = Bus::open(secured().url(), &Options { config: Some(config), ..Options::default() }).unwrap();
    topic(&bus, "t", 1);
    bus.append(&[output("t", 0, "k", "x")]).unwrap();
    let (mut reader, mut writer) = bus.join("g", "one", &["t"]).unwrap();
    let owned = assigned(&mut reader);
    read(&mut reader, 1);
    writer.publish(&batch(vec![output("t", 0, "l", "x")], vec![cover(&owned[0], 1)])).unwrap();
}

#[test]
fn a_broker_that_is_not_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let began = Instant::now();
    let error = Bus::open(&format!("kafka://127.0.0.1:{port}"), &Options::default()).err().unwrap().to_string();
    assert!(began.elapsed() < Duration::from_secs(15));
    has(&error, &["cannot be reached", "Connection refused", "check that the broker runs"]);
    let error = Bus::open("kafka://no-such-host.invalid:9092", &Options::default()).err().unwrap().to_string();
    has(&error, &["no-such-host.invalid", "cannot be found"]);
}

#[test]
fn a_wrong_password() {
    let error = refused(secured().url(), &[("sasl.password", "s3cret")]);
    has(&error, &["refuses the user or the password", "sasl.password"]);
}

#[test]
fn a_certificate_of_another_authority() {
    let other = secured().folder().join("other-ca.crt");
    let error = refused(secured().url(), &[("ssl.ca.location", other.to_str().unwrap())]);
    has(&error, &["certificate", "ssl.ca.location"]);
}

#[test]
fn no_tls_on_a_tls_port_and_tls_on_one_without() {
    let error = refused(secured().url(), &[("security.protocol", "sasl_plaintext")]);
    has(&error, &["security.protocol"]);
    let error = refused(&format!("kafka://{}", secured().plain()), &[("security.protocol", "ssl")]);
    has(&error, &["security.protocol"]);
}

#[test]
fn a_user_without_permissions() {
    let config = secured().folder().join("bob.properties");
    let bus = Bus::open(secured().url(), &Options { config: Some(config), ..Options::default() }).unwrap();
    let began = Instant::now();
    let spec = bus::topic::artefacts();
    let error = bus.ensure(&[spec]).unwrap_err().to_string();
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    has(&error, &["artefacts", "no permission", "let "]);
    let error = bus.join("g", "one", &["artefacts"]).err().unwrap().to_string();
    has(&error, &["artefacts"]);
    assert!(!error.contains("bob-secret"));
}

#[test]
fn a_group_that_refuses_its_member() {
    let config =
        write(crate::shared().folder(), "impatient.properties", "session.timeout.ms=500\nheartbeat.interval.ms=100\n");
    let ground = OnKafka::fresh();
    let bus = Bus::open(&ground.url(), &Options { config: Some(config), ..Options::default() }).unwrap();
    topic(&bus, "in", 1);
    let (mut reader, _writer) = bus.join("g", "one", &["in"]).unwrap();
    let began = Instant::now();
    let error = loop {
        match reader.poll(Duration::from_secs(1)) {
            Err(error) => break error.to_string(),
            Ok(_) => assert!(began.elapsed() < Duration::from_secs(15), "it was not told"),
        }
    };
    has(&error, &["group g", "session.timeout.ms", "group.min.session.timeout.ms"]);
}
