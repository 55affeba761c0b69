//! The committed site of awkward cases: what its README and its list promise is what the server answers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use site::Site;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/site")
}

fn ask(to: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn reachable() -> Vec<String> {
    let list = std::fs::read_to_string(folder().join("reachable.txt")).unwrap();
    list.lines().filter(|line| !line.starts_with('#')).map(str::to_string).collect()
}

#[test]
fn every_reachable_path_is_answered_with_200_and_the_list_is_sorted() {
    let site = Site::folder(folder()).unwrap().start().unwrap();
    let list = reachable();
    assert!(list.len() > 60);
    let set: BTreeSet<_> = list.iter().cloned().collect();
    assert_eq!(set.into_iter().collect::<Vec<_>>(), list, "sorted, nothing twice");
    for path in &list {
        let answer = ask(site.addr(), path, "");
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{path}");
    }
}

#[test]
fn placeholders_become_addresses_and_none_is_left() {
    let site = Site::folder(folder()).unwrap().start().unwrap();
    for path in reachable() {
        let answer = String::from_utf8_lossy(&ask(site.addr(), &path, "")).into_owned();
        assert!(!answer.contains("{{"), "{path}");
    }
    let page = String::from_utf8(ask(site.addr(), "/requisites.html", "")).unwrap();
    assert!(page.contains(&format!("src=\"http://127.0.0.2:{}/lib.js\"", site.addr().port())));
}

#[test]
fn the_cases_that_the_server_makes_are_there() {
    let site = Site::folder(folder()).unwrap().start().unwrap();
    let answer = |path: &str| String::from_utf8_lossy(&ask(site.addr(), path, "")).into_owned();
    assert!(answer("/moved").contains("location: /en/"));
    assert!(answer("/far/11").contains("location: /far-end.html"));
    assert!(answer("/broken/gone.html").starts_with("HTTP/1.1 410"));
    assert!(answer("/charset/wrong-header.html").contains("charset=koi8-r"));
    assert!(!answer("/types/none").contains("content-type"));
    assert_eq!(answer("/bad/deep.html").matches("<div>").count(), 10_000);
    assert!(answer("/traps/calendar/2026/12").contains("/traps/calendar/2027/01"));
    assert!(answer("/robots.txt").contains(&format!("Sitemap: {}", site.url("/sitemap.xml"))));
    let packed = ask(site.addr(), "/en/", "Accept-Encoding: gzip\r\n");
    assert!(String::from_utf8_lossy(&packed).contains("content-encoding: gzip"));
}

#[test]
fn the_four_languages_have_text_enough_to_tell_them_apart() {
    for language in ["en", "de", "fr", "es"] {
        let page = std::fs::read_to_string(folder().join("main").join(language).join("index.html")).unwrap();
        let words = page.split("<p>").skip(1).flat_map(str::split_whitespace).count();
        assert!(words >= 200, "{language}: {words} words");
        assert!(page.contains(&format!("<html lang=\"{language}\">")));
    }
}
