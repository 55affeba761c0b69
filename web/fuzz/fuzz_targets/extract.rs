//! Any bytes have an answer. The first byte chooses what the server says of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use web::{canonicalise, extract};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let said =
        [None, Some("text/html; charset=utf-8"), Some("text/html; charset=gb18030"), Some("text/html; charset=utf-16")];
    let content_type = said[usize::from(*choice) % said.len()];
    let base = "http://example.org/a/b?c".parse().expect("it is a URL");
    let mut with = extract(body, content_type, &base, true);
    for link in &mut with.links {
        link.anchor = None;
        assert_eq!(canonicalise(link.url.as_str()).as_ref(), Ok(&link.url));
    }
    assert_eq!(extract(body, content_type, &base, false), with);
});
