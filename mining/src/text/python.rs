//! Words as scikit-learn's `TfidfVectorizer` finds them by default: the text in lower case, then every match of
//! `(?u)\b\w\w+\b`, that is every run of two or more characters of Python's `\w` (letters, numbers and `_`).

use std::sync::LazyLock;

use regex::Regex;

/// Python's `\w`: `str.isalnum` or `_`. Marks are not in it, other than in most regular expressions.
static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]{2,}").expect("a fixed pattern that is tested below"));

/// Calls `take` with each word.
pub fn words(text: &str, mut take: impl FnMut(&str)) {
    if text.is_ascii() {
        let lower = text.to_ascii_lowercase();
        for word in lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            if word.len() > 1 {
                take(word);
            }
        }
        return;
    }
    let lower = text.to_lowercase();
    for word in WORD.find_iter(&lower) {
        take(word.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        words(text, |word| found.push(word.to_owned()));
        found
    }

    /// What `TfidfVectorizer().build_analyzer()` gives for these texts.
    #[test]
    fn words_are_those_of_scikit_learn() {
        assert_eq!(all("Don't PANIC: a 42 x_y __init__ é"), ["don", "panic", "42", "x_y", "__init__"]);
        assert_eq!(all("naïve Ünïcode e\u{301}tude ½x Ⅷb"), ["naïve", "ünïcode", "tude", "½x", "ⅷb"]);
        assert_eq!(all("Don't panic"), ["don", "panic"]);
    }
}
