//! The server as a client sees it: files, redirects, validators, compression, hosts, log, and every misbehaviour.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use site::{Behaviour, Event, Page, Rule, Running, Site};

/// Sends one request on a connection of its own and reads until the server closes.
fn ask(to: SocketAddr, path: &str, headers: &str) -> std::io::Result<Vec<u8>> {
    ask_by("GET", to, path, headers)
}

fn ask_by(method: &str, to: SocketAddr, path: &str, headers: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: tester\r\nConnection: close\r\n{headers}\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn text(site: &Running, path: &str) -> String {
    String::from_utf8_lossy(&ask(site.addr(), path, "").unwrap()).into_owned()
}

fn head(answer: &[u8]) -> String {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase()
}

fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    &answer[end + 4..]
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

#[test]
fn a_folder_is_served_with_index_redirect_and_content_types() {
    let files = folder(&[("index.html", "<p>top</p>"), ("sub/index.html", "<p>sub</p>"), ("sub/a.css", "p {}")]);
    let site = Site::folder(files.path()).unwrap().start().unwrap();
    let top = text(&site, "/");
    assert!(top.starts_with("HTTP/1.1 200") && top.contains("content-type: text/html\r\n") && top.ends_with("top</p>"));
    let moved = text(&site, "/sub");
    assert!(moved.starts_with("HTTP/1.1 301") && moved.contains("location: /sub/\r\n"), "{moved}");
    assert!(text(&site, "/sub/").ends_with("sub</p>"));
    assert!(text(&site, "/sub/a.css?v=2").contains("content-type: text/css"));
    assert!(text(&site, "/nowhere").starts_with("HTTP/1.1 404"));
    let only_head = ask_by("HEAD", site.addr(), "/", "").unwrap();
    assert!(head(&only_head).contains("content-length: 10") && body(&only_head).is_empty());
}

#[test]
fn validators_are_honoured_for_files_and_pages() {
    let files = folder(&[("index.html", "<p>top</p>")]);
    let site =
        Site::folder(files.path()).unwrap().page("/p", Page::html("p").header("ETag", "\"one\"")).start().unwrap();
    let first = head(&ask(site.addr(), "/", "").unwrap());
    let value = |name: &str| first.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_string();
    let tag = value("etag: ");
    let unchanged = ask(site.addr(), "/", &format!("If-None-Match: W/{tag}, \"other\"\r\n")).unwrap();
    assert!(head(&unchanged).starts_with("http/1.1 304") && body(&unchanged).is_empty());
    assert!(head(&ask(site.addr(), "/", "If-None-Match: \"other\"\r\n").unwrap()).starts_with("http/1.1 200"));
    let since = "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n";
    assert!(head(&ask(site.addr(), "/", since).unwrap()).starts_with("http/1.1 304"));
    let since = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    assert!(head(&ask(site.addr(), "/", since).unwrap()).starts_with("http/1.1 200"));
    assert!(head(&ask(site.addr(), "/p", "If-None-Match: \"one\"\r\n").unwrap()).starts_with("http/1.1 304"));
    site.put("/p", Page::html("p").header("ETag", "\"two\""));
    assert!(head(&ask(site.addr(), "/p", "If-None-Match: \"one\"\r\n").unwrap()).starts_with("http/1.1 200"));
}

#[test]
fn text_is_compressed_only_for_clients_that_ask() {
    let long = "<p>word</p>".repeat(100);
    let site = Site::empty().gzip(true).page("/", Page::html(long.clone())).start().unwrap();
    let plain = ask(site.addr(), "/", "").unwrap();
    assert!(!head(&plain).contains("content-encoding") && body(&plain) == long.as_bytes());
    let packed = ask(site.addr(), "/", "Accept-Encoding: br, gzip;q=0.8\r\n").unwrap();
    assert!(head(&packed).contains("content-encoding: gzip") && body(&packed).len() < long.len());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(body(&packed)).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, long);
}

#[test]
fn hosts_are_addresses_with_one_port_and_know_each_other_by_name() {
    let files = folder(&[
        (
            "site.toml",
            "fill_in = true\n[[host]]\nname = \"main\"\nfolder = \"a\"\n[[host]]\nname = \"cdn\"\nfolder = \"b\"",
        ),
        ("a/index.html", "<img src=\"{{cdn}}/x.png\">"),
        ("b/index.html", "<p>the other host</p>"),
    ]);
    let site = Site::folder(files.path()).unwrap().start().unwrap();
    let other: SocketAddr = format!("127.0.0.2:{}", site.addr().port()).parse().unwrap();
    assert_eq!(site.url_on("cdn", "/").unwrap(), format!("http://{other}/"));
    assert!(text(&site, "/").ends_with(&format!("<img src=\"http://{other}/x.png\">")));
    assert!(String::from_utf8(ask(other, "/", "").unwrap()).unwrap().contains("the other host"));
    assert!(text(&site, "/site.toml").starts_with("HTTP/1.1 404"), "the description is no page");
}

#[test]
fn only_loopback_is_served_and_a_taken_port_is_told() {
    let open = Site::empty().address("0.0.0.0:0".parse().unwrap()).start();
    assert!(open.unwrap_err().to_string().contains("not a loopback address"));
    let site = Site::empty().start().unwrap();
    let error = Site::empty().address(site.addr()).start().unwrap_err().to_string();
    assert!(error.contains(&site.addr().to_string()), "{error}");
}

#[test]
fn a_stopped_site_refuses_and_its_port_can_be_taken_again() {
    let site = Site::empty().page("/", Page::html("one")).start().unwrap();
    let address = site.addr();
    site.stop();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let again = Site::empty().address(address).page("/", Page::html("two")).start().unwrap();
    assert!(text(&again, "/").ends_with("two"));
}

#[test]
fn the_log_has_every_request_and_connection_in_memory_and_in_the_file() {
    let files = folder(&[]);
    let file = files.path().join("log.jsonl");
    let site = Site::empty().page("/a?b=1", Page::html("12345")).log(&file).start().unwrap();
    text(&site, "/a?b=1");
    text(&site, "/missing");
    assert!(site.wait(Duration::from_secs(5), |requests| requests.len() == 2));
    let requests = site.requests();
    let first = requests.iter().find(|request| request.path == "/a?b=1").unwrap();
    assert_eq!(
        (first.status, first.bytes, first.user_agent.as_str(), first.method.as_str()),
        (200, 5, "tester", "GET")
    );
    assert_eq!(first.host, site.addr().to_string());
    assert!(first.start_us <= first.end_us && first.start_unix_ms <= first.end_unix_ms && first.start_unix_ms > 0);
    let second = requests.iter().find(|request| request.path == "/missing").unwrap();
    assert!(second.status == 404 && second.connection != first.connection);
    site.stop();
    let events = site::read_log(&file).unwrap();
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Request(_))).count(), 2);
    let connections: Vec<_> =
        events.iter().filter_map(|event| if let Event::Connection(it) = event { Some(it) } else { None }).collect();
    assert_eq!(connections.len(), 2);
    assert!(connections.iter().all(|it| it.opened_us <= it.closed_us));
}

#[test]
fn one_connection_carries_several_requests() {
    let site = Site::empty().page("/", Page::html("page")).start().unwrap();
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    for _ in 0..3 {
        write!(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"page") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    assert!(site.wait(Duration::from_secs(5), |requests| requests.len() == 3));
    assert!(site.requests().iter().all(|request| request.connection == 1));
    assert!(site.connections().is_empty(), "it is still open");
}

#[test]
fn redirects_chains_and_temporary_failures_behave_as_said() {
    let busy = Behaviour::Status { status: 503, retry_after: Some("2".into()) };
    let site = Site::empty()
        .page("/end", Page::html("end"))
        .misbehave("/old", Behaviour::Redirect { to: "/end".into(), status: 308 })
        .misbehave("/chain/*", Behaviour::Chain { hops: 3, to: "/end".into(), status: 302 })
        .misbehave("/loop", Behaviour::Redirect { to: "/loop".into(), status: 302 })
        .rule(Rule::new("/end", busy).times(1))
        .start()
        .unwrap();
    assert!(text(&site, "/old").starts_with("HTTP/1.1 308"));
    let mut path = "/chain/0".to_string();
    let mut hops = 0;
    while path != "/end" {
        let answer = text(&site, &path);
        path = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_string();
        hops += 1;
    }
    assert_eq!(hops, 3);
    assert!(text(&site, "/loop").contains("location: /loop"));
    let first = text(&site, "/end");
    assert!(first.starts_with("HTTP/1.1 503") && first.contains("retry-after: 2"), "{first}");
    assert!(text(&site, "/end").ends_with("end"), "the rule held for one request");
}

#[test]
fn headers_can_be_wrong_or_missing() {
    let wrong = [("content-type".to_string(), "text/html; charset=koi8-r".to_string())].into();
    let none = [("Content-Type".to_string(), String::new())].into();
    let site = Site::empty()
        .page("/wrong", Page::html("x"))
        .page("/none", Page::html("x"))
        .misbehave("/wrong", Behaviour::Headers(wrong))
        .misbehave("/none", Behaviour::Headers(none))
        .start()
        .unwrap();
    assert!(text(&site, "/wrong").contains("charset=koi8-r"));
    assert!(!text(&site, "/none").contains("content-type"));
}

#[test]
fn slow_answers_arrive_whole() {
    let site = Site::empty()
        .page("/drip", Page::html("0123456789"))
        .page("/late", Page::html("late"))
        .misbehave("/drip", Behaviour::Drip { bytes: 3, every_ms: 1 })
        .misbehave("/late", Behaviour::Delay { ms: 5 })
        .start()
        .unwrap();
    let drip = ask(site.addr(), "/drip", "").unwrap();
    assert!(head(&drip).contains("content-length: 10"));
    assert_eq!(body(&drip), b"0123456789");
    assert!(text(&site, "/late").ends_with("late"));
}

/// Reads up to `limit` bytes of an answer, then goes away.
fn taste(site: &Running, path: &str, limit: u64) -> Vec<u8> {
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    Read::by_ref(&mut stream).take(limit).read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn endless_answers_do_not_end_by_themselves_and_stop_with_the_client() {
    let site = Site::empty()
        .misbehave("/endless", Behaviour::Endless { every_ms: 0 })
        .misbehave("/heads", Behaviour::SlowHeaders { every_ms: 1 })
        .misbehave("/hang", Behaviour::Hang)
        .start()
        .unwrap();
    assert_eq!(taste(&site, "/endless", 1_000_000).len(), 1_000_000);
    let heads = taste(&site, "/heads", 300);
    assert!(!heads.windows(4).any(|four| four == b"\r\n\r\n"), "the header block never ends");
    // a client that leaves at once may be gone before its request is read, and is then not in the log
    let mut patience = 100;
    let all = |requests: &[site::Request]| {
        ["/endless", "/heads", "/hang"].iter().all(|path| requests.iter().any(|r| r.path == *path))
    };
    while !site.wait(Duration::from_millis(20), all) {
        assert!(patience > 0, "{:?}", site.requests());
        patience -= 1;
        let mut stream = TcpStream::connect(site.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        write!(stream, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let silence = stream.read(&mut [0]).unwrap_err();
        assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    }
}

#[test]
fn broken_answers_are_broken_on_the_wire() {
    let site = Site::empty()
        .page("/long", Page::html("0123456789"))
        .page("/short", Page::html("0123456789"))
        .misbehave("/long", Behaviour::WrongLength { by: 5 })
        .misbehave("/short", Behaviour::WrongLength { by: -5 })
        .misbehave("/garbage", Behaviour::GarbageStatus)
        .misbehave("/close", Behaviour::Close)
        .misbehave("/reset", Behaviour::Reset { after: 100 })
        .misbehave("/chunks", Behaviour::BadChunks)
        .misbehave("/huge", Behaviour::HugeHeaders { bytes: 300_000 })
        .misbehave("/not-gzip", Behaviour::NotGzip)
        .misbehave("/bomb", Behaviour::GzipBomb { mib: 10 })
        .start()
        .unwrap();
    assert!(text(&site, "/long").contains("Content-Length: 15\r\n"));
    assert!(text(&site, "/short").contains("Content-Length: 5\r\n"));
    assert!(!text(&site, "/garbage").starts_with("HTTP/"));
    assert!(text(&site, "/close").is_empty());
    assert_eq!(ask(site.addr(), "/reset", "").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(text(&site, "/chunks").contains("not a number"));
    assert!(head(&ask(site.addr(), "/huge", "").unwrap()).len() >= 300_000);
    assert!(text(&site, "/not-gzip").contains("content-encoding: gzip"));
    let bomb = ask(site.addr(), "/bomb", "").unwrap();
    assert!(bomb.len() < 100_000);
    let decoded = std::io::copy(&mut flate2::read::GzDecoder::new(body(&bomb)), &mut std::io::sink()).unwrap();
    assert_eq!(decoded, 10 << 20);
}

#[test]
fn a_broken_answer_can_follow_good_ones_on_one_connection() {
    let site =
        Site::empty().page("/", Page::html("page")).misbehave("/garbage", Behaviour::GarbageStatus).start().unwrap();
    let mut stream = TcpStream::connect(site.addr()).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"page") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    write!(stream, "GET /garbage HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    answer.clear();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.windows(10).any(|part| part == b"is no HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn generated_pages_come_by_their_paths() {
    let site = Site::empty()
        .misbehave("/calendar/*", Behaviour::Calendar)
        .misbehave("/deep", Behaviour::Nested { depth: 20_000 })
        .misbehave("/tree/*", Behaviour::Tree { pages: 30, fanout: 4, slow_ms: 1 })
        .start()
        .unwrap();
    assert!(text(&site, "/calendar/2031/12").contains("href=\"/calendar/2032/01\""));
    assert_eq!(text(&site, "/deep").matches("<div>").count(), 20_000);
    assert!(text(&site, "/tree/").contains("location: 0.html"));
    assert!(text(&site, "/tree/29.html").starts_with("HTTP/1.1 200"));
    assert!(text(&site, "/tree/30.html").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_folder_that_is_missing_is_told_by_its_path() {
    let error = Site::folder(Path::new("/no/such/folder")).unwrap_err().to_string();
    assert!(error.starts_with("/no/such/folder: "), "{error}");
}
