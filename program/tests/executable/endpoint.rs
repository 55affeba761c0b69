//! `--metrics ADDR`: metrics, health, readiness.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::{Place, Running};

/// A program that serves metrics on a free port, which its log names.
fn serve() -> (Running, String) {
    let mut running = Running::start(&mut Place::new().command(&["serve", "--metrics", "127.0.0.1:0"]));
    let mut log = String::new();
    BufReader::new(running.child.stderr.as_mut().unwrap()).read_line(&mut log).unwrap();
    let address = log.split_once("http://").unwrap().1.split('/').next().unwrap().to_owned();
    assert_eq!(running.line(), "starting");
    (running, address)
}

fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

#[test]
fn it_tells_metrics_and_health_and_is_ready_only_while_it_works() {
    let (mut running, address) = serve();
    let (status, body) = get(&address, "/metrics");
    assert_eq!(status, "200");
    let lines: Vec<&str> = body.lines().collect();
    assert!(lines.contains(&"# TYPE sample_pages_total counter") && lines.contains(&"sample_pages_total 3"), "{body}");
    assert!(lines.iter().any(|line| line.starts_with("process_cpu_seconds_total ")), "{body}");
    assert_eq!(get(&address, "/healthz").0, "200");
    assert_eq!(get(&address, "/readyz"), ("503".to_owned(), "not ready\n".to_owned()));
    assert_eq!(get(&address, "/").0, "404");

    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    assert_eq!(running.line(), "ready");
    assert_eq!(get(&address, "/readyz").0, "200");

    running.signal("TERM");
    assert_eq!(running.line(), "draining");
    assert_eq!(get(&address, "/readyz"), ("503".to_owned(), "draining\n".to_owned()));
    assert_eq!(get(&address, "/healthz").0, "200");
    stdin.write_all(b"\n").unwrap();
    assert_eq!(running.code(), 130);
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out() {
    let (_running, address) = serve();
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"GET /met").unwrap();
    assert_eq!(get(&address, "/metrics").0, "200");
    drop(silent);
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = Place::new().run(&["serve", "--metrics", &address], &[]).refused(1);
    assert!(
        refused.starts_with(&format!("sample: error: cannot serve metrics at {address}; name a free address")),
        "{refused}"
    );
}
