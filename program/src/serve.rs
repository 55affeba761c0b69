//! The endpoint of `--metrics`: `/metrics`, `/healthz` and `/readyz` over HTTP/1.1, one request a connection.
//!
//! It must outlive whoever talks to it. A request is 8 KiB at most and a connection ends at a deadline, however slowly
//! its bytes come and go. There are 16 connections at most; one more and the oldest is cut off, so a crowd of clients that
//! say nothing cannot keep out one that asks and goes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown as Close, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const LONGEST_REQUEST: usize = 8 * 1024;
/// How long a connection lasts at most.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 16;

/// What a request is answered with.
pub(crate) struct Answer {
    pub status: &'static str,
    pub media_type: &'static str,
    pub body: String,
}

impl Answer {
    pub fn text(status: &'static str, body: &str) -> Answer {
        Answer { status, media_type: "text/plain; charset=utf-8", body: format!("{body}\n") }
    }
}

/// A request, as far as it matters.
pub(crate) struct Request {
    pub path: String,
    /// The `Accept` header, or nothing.
    pub accept: String,
}

/// Listens at `address` from now on and until the process ends; gives the address, with the port that was taken for port 0.
pub(crate) fn serve(
    address: SocketAddr,
    deadline: Duration,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    let open = Arc::new(Open::default());
    thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            // Most likely out of file descriptors, which passes; a busy loop would not help it.
            let Ok(stream) = stream else {
                thread::park_timeout(Duration::from_millis(100));
                continue;
            };
            let (answer, open) = (Arc::clone(&answer), Arc::clone(&open));
            let Ok(number) = open.enter(&stream) else { continue };
            let worker = move || {
                // A client that breaks the rules or goes away is no concern of this program.
                drop(converse(&stream, Instant::now() + deadline, &*answer));
                open.leave(number);
            };
            // Where no thread is to be had, dropping the connection is answer enough.
            drop(thread::Builder::new().name("metrics-client".to_owned()).spawn(worker));
        }
    })?;
    Ok(address)
}

/// The connections that are open, oldest first.
#[derive(Default)]
struct Open {
    streams: Mutex<(u64, VecDeque<(u64, TcpStream)>)>,
}

impl Open {
    /// Counts a connection in, and the oldest out if that is one too many.
    fn enter(&self, stream: &TcpStream) -> io::Result<u64> {
        let stream = stream.try_clone()?;
        let mut guard = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, streams) = &mut *guard;
        *next += 1;
        streams.push_back((*next, stream));
        if streams.len() > CONNECTIONS
            && let Some((_, oldest)) = streams.pop_front()
        {
            // Its thread sees the end of the stream and leaves.
            drop(oldest.shutdown(Close::Both));
        }
        Ok(*next)
    }

    fn leave(&self, number: u64) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).1.retain(|(other, _)| *other != number);
    }
}

fn converse(stream: &TcpStream, end: Instant, answer: &dyn Fn(&Request) -> Answer) -> io::Result<()> {
    let (head_only, answer) = match parse(&head(stream, end)?) {
        Ok((head_only, request)) => (head_only, answer(&request)),
        Err(status) => (false, Answer::text(status, status)),
    };
    let Answer { status, media_type, body } = answer;
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nX-Content-Type-Options: nosniff\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    if !head_only {
        bytes.push_str(&body);
    }
    send(stream, bytes.as_bytes(), end)?;
    stream.shutdown(Close::Write)
}

/// Reads up to the empty line that ends a request's head; what is too long or too slow is cut short.
fn head(mut stream: &TcpStream, end: Instant) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while head.len() < LONGEST_REQUEST && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(&mut part)? {
            0 => break,
            n => head.extend_from_slice(&part[..n]),
        }
    }
    Ok(head)
}

fn send(mut stream: &TcpStream, mut bytes: &[u8], end: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(end)?))?;
        match stream.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => bytes = &bytes[n..],
        }
    }
    Ok(())
}

fn left(end: Instant) -> io::Result<Duration> {
    end.checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// The request, and whether only the head of the answer is wanted; or the status that refuses it.
fn parse(head: &[u8]) -> Result<(bool, Request), &'static str> {
    const BAD: &str = "400 Bad Request";
    let text = std::str::from_utf8(head).map_err(|_| BAD)?;
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return Err(if text.len() >= LONGEST_REQUEST { "431 Request Header Fields Too Large" } else { BAD });
    };
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Err(BAD) };
    if !version.starts_with("HTTP/1.") {
        return Err("505 HTTP Version Not Supported");
    }
    if method != "GET" && method != "HEAD" {
        return Err("405 Method Not Allowed");
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let accept = headers.find(|(name, _)| name.eq_ignore_ascii_case("accept")).map_or("", |(_, value)| value.trim());
    Ok((method == "HEAD", Request { path, accept: accept.to_owned() }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn start(deadline: Duration) -> SocketAddr {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        serve(any, deadline, |request| Answer::text("200 OK", &format!("you asked for {}", request.path))).unwrap()
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_is_answered_and_the_connection_closed() {
        let address = start(DEADLINE);
        let answer = ask(address, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nyou asked for /x\n"),
            "{answer}"
        );
        assert!(ask(address, "HEAD /x HTTP/1.1\r\n\r\n").ends_with("close\r\n\r\n"));
    }

    #[test]
    fn what_is_no_proper_request_is_refused_in_proper_form() {
        let address = start(DEADLINE);
        for (request, status) in [
            ("POST / HTTP/1.1\r\n\r\n".to_owned(), "405"),
            ("GET / HTTP/2\r\n\r\n".to_owned(), "505"),
            ("GET  / HTTP/1.1\r\n\r\n".to_owned(), "400"),
            ("\r\n\r\n".to_owned(), "400"),
            (format!("GET /{} ", "x".repeat(LONGEST_REQUEST - 6)), "431"),
        ] {
            let answer = ask(address, &request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.40}: {answer}");
        }
    }

    #[test]
    fn silent_clients_do_not_keep_others_out() {
        // Nobody is cut off for being slow here.
        let address = start(Duration::from_secs(3600));
        let silent: Vec<TcpStream> = (0..4 * CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(ask(address, "GET /a HTTP/1.1\r\n\r\n").ends_with("/a\n"));
        // The oldest were shown the door for it.
        for mut stream in silent.iter().take(2 * CONNECTIONS) {
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let closed = match stream.read(&mut [0]) {
                Ok(n) => n == 0,
                Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
            };
            assert!(closed);
        }
    }

    #[test]
    fn a_client_that_sends_byte_by_byte_is_cut_off_at_the_deadline() {
        let address = start(Duration::from_millis(50));
        let mut slow = TcpStream::connect(address).unwrap();
        slow.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        // It ends: with an endless deadline this would go on until the request is too long, and be answered.
        let mut sent = 0;
        while !matches!(slow.read(&mut [0]), Ok(0)) && slow.write_all(b"G").is_ok() {
            sent += 1;
            assert!(sent < LONGEST_REQUEST, "never cut off");
        }
    }
}
