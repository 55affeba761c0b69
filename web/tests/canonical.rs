//! The canonical form: its rules by example, and what must hold for every text.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use url::Url;
use web::{Invalid, canonicalise, resolve};

fn canonical(text: &str) -> String {
    canonicalise(text).unwrap_or_else(|error| panic!("{text}: {error}")).into_string()
}

#[test]
fn spellings_of_one_resource_become_one() {
    for (written, expected) in [
        ("http://example.org", "http://example.org/"),
        ("HTTP://EXAMPLE.ORG/", "http://example.org/"),
        ("http://example.org:80/", "http://example.org/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org:/", "http://example.org/"),
        ("http://example.org:08080/", "http://example.org:8080/"),
        ("http://example.org./", "http://example.org/"),
        ("http://example.org.:8080/a", "http://example.org:8080/a"),
        ("http://me:secret@example.org/", "http://example.org/"),
        ("http://@example.org/", "http://example.org/"),
        ("http://example.org/#top", "http://example.org/"),
        ("http://example.org/a#b?c", "http://example.org/a"),
        ("http://example.org/?", "http://example.org/"),
        ("http://example.org?", "http://example.org/"),
        ("http://example.org?q", "http://example.org/?q"),
        ("http://example.org/??", "http://example.org/??"),
        ("http://example.org/?#", "http://example.org/"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/%2e%2E/b", "http://example.org/b"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/a/b/.", "http://example.org/a/b/"),
        ("http://example.org//a//b/", "http://example.org//a//b/"),
        ("http://example.org\\a\\b", "http://example.org/a/b"),
        ("  http://example.org/a\tb\n ", "http://example.org/ab"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://example.org/é", "http://example.org/%C3%A9"),
        ("http://example.org/%c3%a9", "http://example.org/%C3%A9"),
        ("http://example.org/%7Eme/%41", "http://example.org/~me/A"),
        ("http://example.org/%2F%3f%23", "http://example.org/%2F%3F%23"),
        ("http://example.org/?q=%7e%2b+", "http://example.org/?q=~%2B+"),
        ("http://example.org/?b=1&a=2&utm_source=x&", "http://example.org/?b=1&a=2&utm_source=x&"),
        ("http://example.org/100%", "http://example.org/100%"),
        ("http://Bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://XN--BCHER-KVA.example/", "http://xn--bcher-kva.example/"),
        ("http://ex%61mple.org/", "http://example.org/"),
        ("http://example。org/", "http://example.org/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0177.0.0.01/", "http://127.0.0.1/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http:example.org/a", "http://example.org/a"),
        ("http:////example.org/a", "http://example.org/a"),
    ] {
        assert_eq!(canonical(written), expected, "{written}");
    }
}

#[test]
fn what_may_matter_stays() {
    for (one, other) in [
        ("http://example.org/a", "http://example.org/a/"),
        ("http://example.org/a", "https://example.org/a"),
        ("http://example.org/a", "http://www.example.org/a"),
        ("http://example.org/a", "http://example.org/A"),
        ("http://example.org/a", "http://example.org/a?a="),
        ("http://example.org/?a&b", "http://example.org/?b&a"),
        ("http://example.org/a/b", "http://example.org/a%2Fb"),
        ("http://example.org/a/b", "http://example.org/a//b"),
        ("http://example.org/?a+b", "http://example.org/?a%2Bb"),
        ("http://example.org/", "http://example.org/index.html"),
    ] {
        assert_ne!(canonical(one), canonical(other), "{one} {other}");
    }
}

#[test]
fn the_host_keeps_a_port_that_is_not_the_default() {
    for (url, host, rest) in [
        ("http://example.org/a?b", "example.org", "/a?b"),
        ("http://example.org:8080/a", "example.org:8080", "/a"),
        ("https://127.0.0.1:8000", "127.0.0.1:8000", "/"),
        ("http://[::1]:8080/", "[::1]:8080", "/"),
        ("http://[::1]/", "[::1]", "/"),
        ("http://u:p@example.org.:81/", "example.org:81", "/"),
    ] {
        let canonical = canonicalise(url).unwrap();
        assert_eq!((canonical.host(), canonical.path_and_query()), (host, rest), "{url}");
    }
}

#[test]
fn what_cannot_be_fetched_is_refused_with_its_reason() {
    let long = format!("http://example.org/{}", "a".repeat(2048));
    let host = format!("http://{}example.org/", "a.".repeat(130));
    for (text, expected) in [
        ("", "not a URL"),
        ("/a/b", "not a URL"),
        ("example.org", "not a URL"),
        ("http://", "not a URL"),
        ("http:///", "not a URL"),
        ("http://./", "the URL has no host"),
        ("http://a..b/", "not a URL"),
        ("http://.a/", "not a URL"),
        ("http://a../", "not a URL"),
        ("http://a b/", "not a URL"),
        ("http://1.2.3.4.5/", "not a URL"),
        ("http://256.1.1.1/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://example.org:99999/", "not a URL"),
        ("http://ex%00ample.org/", "not a URL"),
        ("http://xn--/", "not a URL"),
        ("ftp://example.org/", "scheme `ftp`"),
        ("mailto:me@example.org", "scheme `mailto`"),
        ("javascript:void(0)", "scheme `javascript`"),
        ("file:///etc/passwd", "scheme `file`"),
        ("data:text/html,hello", "scheme `data`"),
        (&long, "the URL has 2067 bytes"),
        (&host, "not a URL"),
    ] {
        let error = canonicalise(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn the_limit_is_on_the_canonical_text() {
    let fits = format!("http://example.org/{}", "a".repeat(2048 - 19));
    assert_eq!(canonical(&fits), fits);
    assert_eq!(canonical(&format!("{fits}#{}", "b".repeat(4096))), fits);
    assert_eq!(canonicalise(&format!("{fits}a")), Err(Invalid::TooLong(2049)));
    // escapes count as they are written out
    let escaped = format!("http://example.org/{}", "é".repeat(400));
    assert_eq!(canonicalise(&escaped), Err(Invalid::TooLong(19 + 6 * 400)));
    // and a text of megabytes is refused unread
    let huge = format!("http://example.org/#{}", "b".repeat(1 << 20));
    assert_eq!(canonicalise(&huge), Err(Invalid::TooLong(20 + (1 << 20))));
}

#[test]
fn references_resolve_against_their_page() {
    let base = Url::parse("http://example.org/a/b/c.html?q=1#f").unwrap();
    for (reference, expected) in [
        ("", "http://example.org/a/b/c.html?q=1"),
        ("#x", "http://example.org/a/b/c.html?q=1"),
        ("?", "http://example.org/a/b/c.html"),
        ("?r", "http://example.org/a/b/c.html?r"),
        ("d", "http://example.org/a/b/d"),
        ("d#x", "http://example.org/a/b/d"),
        ("d?e#x", "http://example.org/a/b/d?e"),
        ("./d", "http://example.org/a/b/d"),
        ("../d", "http://example.org/a/d"),
        ("../../../../d", "http://example.org/d"),
        ("..", "http://example.org/a/"),
        (".", "http://example.org/a/b/"),
        ("d/..", "http://example.org/a/b/"),
        ("d//../e", "http://example.org/a/b/d/e"),
        ("...", "http://example.org/a/b/..."),
        ("/d", "http://example.org/d"),
        ("/", "http://example.org/"),
        ("/../d", "http://example.org/d"),
        ("//other.example/d", "http://other.example/d"),
        ("///other.example/d", "http://other.example/d"),
        ("\\d", "http://example.org/d"),
        ("\\\\other.example\\d", "http://other.example/d"),
        ("https://other.example/d", "https://other.example/d"),
        ("https://other.example", "https://other.example/"),
        ("https://other.example?a#b", "https://other.example/?a"),
        ("https://other.example/a/../../b/.", "https://other.example/b/"),
        ("https://Other.example/d", "https://other.example/d"),
        ("https://other.example:443/d", "https://other.example/d"),
        ("https://other.example./d", "https://other.example/d"),
        ("HTTPS://other.example/d", "https://other.example/d"),
        ("https://1.2/d", "https://1.0.0.2/d"),
        ("http:d", "http://example.org/a/b/d"),
        ("  d\n", "http://example.org/a/b/d"),
        ("d e", "http://example.org/a/b/d%20e"),
        ("%64", "http://example.org/a/b/d"),
        ("d?'", "http://example.org/a/b/d?%27"),
        ("d:e/f?g", "scheme `d` is not http or https"),
        ("\u{1}mailto:x@y", "scheme `mailto` is not http or https"),
        ("java\nscript:x()", "scheme `javascript` is not http or https"),
    ] {
        let found = resolve(&base, reference).map_or_else(|error| error.to_string(), |url| url.into_string());
        assert_eq!(found, expected, "{reference:?}");
    }
}

/// Something like a URL, with much that is odd.
fn odd_url() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![4 => "https?", 1 => "[a-zA-Z+]{0,6}"];
    let user = prop_oneof![3 => Just(String::new()), 1 => "[a-z:%é]{0,6}@"];
    let host = prop_oneof![
        4 => "[a-zA-Z0-9.-]{1,12}",
        1 => "[a-zA-Z0-9.é。ßＡ%\u{ad}\u{200d}_-]{1,12}",
        1 => "[0-9a-fx.]{1,12}",
        1 => "\\[[0-9a-f:.]{1,12}\\]",
        1 => "xn--[a-z0-9-]{1,12}",
    ];
    let port = prop_oneof![3 => Just(String::new()), 1 => ":[0-9]{0,5}"];
    let rest = odd_reference();
    (scheme, user, host, port, rest)
        .prop_map(|(scheme, user, host, port, rest)| format!("{scheme}://{user}{host}{port}/{rest}"))
}

/// Something like a reference.
fn odd_reference() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z./?#]{0,16}",
        2 => "(\\.\\./){0,3}[a-zA-Z0-9_.~-]{0,8}(/[a-z.%]{0,4}){0,3}(\\?[a-z=&;:'%]{0,8})?(#.{0,4})?",
        2 => "[a-zA-Z0-9/.%\\\\?#:@!$&'()*+,;=~_ \t\né|{}^`\"<>-]{0,24}",
        2 => "https?://[a-z0-9.-]{0,8}(:[0-9]{0,3})?[a-z./?#]{0,8}",
        1 => "https?://(www\\.example\\.org|a|xn--a|1\\.2|0x1|a\\.0x1|a-\\.b|a\\.b1)[a-z./?#:@]{0,8}",
        1 => ".{0,16}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_canonical_url_is_its_own_canonical_form(text in odd_url()) {
        if let Ok(once) = canonicalise(&text) {
            let again = canonicalise(once.as_str());
            prop_assert_eq!(again.as_ref(), Ok(&once), "{}", text);
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(text in any::<String>()) {
        if let Ok(once) = canonicalise(&text) {
            prop_assert_eq!(canonicalise(once.as_str()), Ok(once));
        }
    }

    #[test]
    fn a_canonical_url_has_the_shape_that_is_promised(text in odd_url()) {
        if let Ok(url) = canonicalise(&text) {
            let parsed = Url::parse(url.as_str()).unwrap();
            prop_assert_eq!(parsed.as_str(), url.as_str());
            prop_assert!(parsed.username().is_empty() && parsed.password().is_none());
            prop_assert!(parsed.fragment().is_none() && parsed.query() != Some(""));
            prop_assert!(url.as_str().is_ascii() && url.as_str().len() <= 2048);
            let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
            prop_assert_eq!(url.host(), format!("{}{port}", parsed.host_str().unwrap()));
            prop_assert!(!parsed.host_str().unwrap().ends_with('.'));
            prop_assert!(url.path_and_query().starts_with('/'));
        }
    }

    #[test]
    fn resolving_is_joining_and_then_the_canonical_form(base in odd_url(), reference in odd_reference()) {
        // where the parser does not do as browsers do
        prop_assume!(reference.trim_start().bytes().take_while(|byte| matches!(byte, b'/' | b'\\')).count() < 3);
        if let Ok(base) = Url::parse(&base) {
            let long = base.join(&reference).map_err(|error| Invalid::Syntax(error.to_string()));
            let long = long.and_then(|url| canonicalise(url.as_str()));
            prop_assert_eq!(resolve(&base, &reference), long, "{} {:?}", base, reference);
        }
    }

    #[test]
    fn the_fragment_of_a_reference_never_matters(reference in "[^#]{0,16}", fragment in any::<String>()) {
        let base = Url::parse("http://example.org/a/b?c").unwrap();
        // white space at the end would belong to the fragment
        let reference = reference.trim_end_matches(|c: char| c <= ' ');
        prop_assert_eq!(resolve(&base, &format!("{reference}#{fragment}")), resolve(&base, reference));
    }
}
