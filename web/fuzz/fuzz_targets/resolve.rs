//! A base on the first line and a reference on the second: the short way gives what the long one gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;
use web::{canonicalise, resolve};

fuzz_target!(|text: &str| {
    let Some((base, reference)) = text.split_once('\n') else { return };
    let Ok(base) = Url::parse(base) else { return };
    // where the parser does not do as browsers do
    let slashes = reference.trim_start_matches(|c: char| c <= ' ').bytes().take_while(|byte| b"/\\".contains(byte));
    if slashes.count() > 2 || text.len() > 2048 {
        return;
    }
    let long = base.join(reference).ok().and_then(|url| canonicalise(url.as_str()).ok());
    assert_eq!(resolve(&base, reference).ok(), long);
});
