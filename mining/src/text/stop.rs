//! Stop words: the frequent words of grammar that say nothing about a text.
//!
//! The lists are NLTK's (crate `stop-words`), one for each of 33 languages; a page's language picks its list, and a
//! language without a list drops nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use polars::prelude::{InitHashMaps, PlHashSet};

/// Words of one language that do not count.
#[derive(Debug, Clone, Default)]
pub struct StopWords {
    words: PlHashSet<Box<str>>,
    /// A bit for each [`glance`] that some stop word has: most words are told apart by it, without being hashed.
    seen: [u64; 16],
}

/// Ten bits of a word: of its first and last byte and its length.
fn glance(word: &str) -> usize {
    let bytes = word.as_bytes();
    let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
    (usize::from(first) ^ usize::from(last) << 4 ^ bytes.len() << 7) & 1023
}

impl StopWords {
    /// No word.
    pub fn none() -> StopWords {
        StopWords { words: PlHashSet::new(), seen: [0; 16] }
    }

    /// These words, in the spelling of terms.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> StopWords {
        let mut set = StopWords::none();
        for word in words {
            // Lists mix single words and what a tokeniser makes of them: each is brought into the spelling of terms.
            let rules = super::words::Rules { min_length: 1, numbers: true, ..Default::default() };
            super::words::terms(word, &rules, &StopWords::none(), |term| {
                let bit = glance(term);
                set.seen[bit / 64] |= 1 << (bit % 64);
                set.words.insert(term.into());
            });
        }
        set
    }

    /// Whether a term is dropped.
    pub fn contains(&self, term: &str) -> bool {
        let bit = glance(term);
        self.seen[bit / 64] >> (bit % 64) & 1 == 1 && self.words.contains(term)
    }
}

/// Which stop words the user wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// Of each page's language.
    #[default]
    Language,
    /// None.
    None,
    /// Of a file, for all pages: one word a line, `#` starts a comment.
    File(PathBuf),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Choice, Self::Err> {
        Ok(match text {
            "language" => Choice::Language,
            "none" => Choice::None,
            file => Choice::File(PathBuf::from(file)),
        })
    }
}

/// The lists by language.
#[derive(Debug)]
pub struct Lists {
    by_language: BTreeMap<&'static str, StopWords>,
    otherwise: StopWords,
    identity: String,
}

impl Lists {
    /// Makes the lists ready; reads the file where there is one.
    pub fn load(choice: &Choice) -> Result<Lists> {
        let mut lists =
            Lists { by_language: BTreeMap::new(), otherwise: StopWords::none(), identity: "none".to_owned() };
        match choice {
            Choice::None => {}
            Choice::File(path) => {
                lists.otherwise = from_file(path)?;
                let mut words: Vec<&str> = lists.otherwise.words.iter().map(|word| &**word).collect();
                words.sort_unstable();
                lists.identity = words.join("\n");
            }
            Choice::Language => {
                lists.identity = "language".to_owned();
                for &language in stop_words::available_languages() {
                    let words = stop_words::lookup(language).unwrap_or(&[]);
                    lists.by_language.insert(language, StopWords::of(words.iter().copied()));
                }
            }
        }
        Ok(lists)
    }

    /// Equal lists have equal ones.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The list for a page.
    pub fn get(&self, language: &str) -> &StopWords {
        // Detection says nb or nn where the list is for no.
        let language = if matches!(language, "nb" | "nn" | "nob" | "nno") { "no" } else { language };
        self.by_language.get(language).unwrap_or(&self.otherwise)
    }
}

fn from_file(path: &Path) -> Result<StopWords> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read stop words from {}", path.display()))?;
    Ok(StopWords::of(text.lines().map(|line| line.split('#').next().unwrap_or("").trim())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn each_language_drops_its_own_words_only() {
        let lists = Lists::load(&Choice::Language).unwrap();
        assert!(lists.get("en").contains("the") && lists.get("en").contains("don't"));
        assert!(lists.get("de").contains("der") && !lists.get("de").contains("the"));
        assert!(!lists.get("und").contains("the") && !lists.get("xx").contains("the"));
        assert!(lists.get("nb").contains("og"));
        assert!(!lists.get("en").contains("page"));
    }

    #[test]
    fn a_file_counts_for_every_language() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stop.txt");
        std::fs::write(&path, "# mine\nRust # the language\n\nfoo\n").unwrap();
        let lists = Lists::load(&Choice::File(path)).unwrap();
        assert!(
            lists.get("en").contains("rust") && lists.get("xx").contains("foo") && !lists.get("en").contains("the")
        );
        let missing = Lists::load(&Choice::File("no/such/file".into())).unwrap_err();
        assert!(missing.to_string().contains("no/such/file"));
    }
}
