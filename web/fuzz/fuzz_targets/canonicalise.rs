//! The canonical form of any text is its own canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use web::canonicalise;

fuzz_target!(|text: &str| {
    if let Ok(once) = canonicalise(text) {
        assert_eq!(canonicalise(once.as_str()), Ok(once));
    }
});
