//! Names of crawls and instances: they become parts of topics, groups and folders.

/// Longest name.
const MAX: usize = 64;

/// A crawl's name.
pub fn crawl(text: &str) -> Result<String, String> {
    name(text)
}

/// An instance's name.
pub fn instance(text: &str) -> Result<String, String> {
    name(text)
}

fn name(text: &str) -> Result<String, String> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ok =
        text.len() <= MAX && text.bytes().all(inner) && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    match ok {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a name has letters, digits, -, _ and ., begins with a letter or digit, and has at most {MAX} characters"
        )),
    }
}

/// The machine's host name, made to fit.
pub fn this_machine() -> String {
    let known =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok());
    let known = known.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let fitting: String =
        known.trim().chars().map(|c| if name(&format!("a{c}")).is_ok() { c } else { '-' }).take(MAX).collect();
    name(&fitting).unwrap_or_else(|_| "localhost".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_topics_and_folders_are_accepted() {
        for good in ["main", "a", "Docs-2026_11.x", "7"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "-x", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert!(name(&this_machine()).is_ok());
    }
}
