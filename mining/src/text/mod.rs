//! From the text of a page to terms, the same way for every miner that reads words.

mod python;
pub mod stop;
pub mod words;

use std::str::FromStr;

use anyhow::Result;
use sha2::{Digest, Sha256};

use stop::{Lists, StopWords};
use words::Rules;

/// Flags of miners that read words.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// How a text is cut into words: `unicode` (UAX #29, as `mine terms`) or `sklearn` (scikit-learn's token pattern)
    #[arg(long, value_name = "RULE", default_value = "unicode")]
    pub tokens: Cut,
    /// Shortest word, in characters (unicode)
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub min_length: u8,
    /// Count words without a letter too: 2026, 3.14 (unicode)
    #[arg(long)]
    pub numbers: bool,
    /// Stop words: `language` (the list of each page's language), `none`, or a file with one word a line [default: language; with
    /// --tokens sklearn: none]
    #[arg(long, value_name = "LIST")]
    pub stop_words: Option<stop::Choice>,
}

/// How a text is cut into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Unicode's default word boundaries.
    Unicode,
    /// `(?u)\b\w\w+\b` on the lower-cased text.
    Sklearn,
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Cut, String> {
        match text {
            "unicode" => Ok(Cut::Unicode),
            "sklearn" => Ok(Cut::Sklearn),
            _ => Err(format!("`{text}` is not unicode or sklearn")),
        }
    }
}

/// Cuts texts into terms.
#[derive(Debug)]
pub struct Tokens {
    cut: Cut,
    rules: Rules,
    lists: Lists,
    identity: String,
}

impl Tokens {
    /// As the flags say, terms of `ngrams` words.
    pub fn new(flags: &Flags, ngrams: (usize, usize)) -> Result<Tokens> {
        let choice = match (&flags.stop_words, flags.cut()) {
            (Some(choice), _) => choice.clone(),
            (None, Cut::Unicode) => stop::Choice::Language,
            (None, Cut::Sklearn) => stop::Choice::None,
        };
        let rules = Rules {
            min_length: usize::from(flags.min_length),
            numbers: flags.numbers,
            ngram_from: ngrams.0,
            ngram_to: ngrams.1,
        };
        let lists = Lists::load(&choice)?;
        let said = format!("{:?} {rules:?} {}", flags.cut(), lists.identity());
        let identity = hex::encode(&Sha256::digest(said)[..6]);
        Ok(Tokens { cut: flags.cut(), rules, lists, identity })
    }

    /// Stands for the rules: equal ones give equal terms.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether the terms of a text are those of its pieces between blanks, one after the other.
    pub fn by_piece(&self) -> bool {
        self.cut == Cut::Unicode && self.rules.ngram_to == 1
    }

    /// Whether there are terms of several words.
    pub fn of_runs(&self) -> bool {
        self.rules.ngram_to > 1
    }

    /// Words of a language that do not count.
    pub fn stop(&self, language: &str) -> &StopWords {
        self.lists.get(language)
    }

    /// Calls `take` with each term of a text, in order.
    pub fn each(&self, text: &str, stop: &StopWords, take: &mut dyn FnMut(&str)) {
        match self.cut {
            Cut::Unicode => words::terms(text, &self.rules, stop, take),
            Cut::Sklearn => python::words(text, |word| {
                if !stop.contains(word) {
                    take(word);
                }
            }),
        }
    }
}

impl Flags {
    fn cut(&self) -> Cut {
        self.tokens
    }
}

/// Language of a page: as detected, else the primary part of what it declares, else `und`.
pub fn language(detected: Option<&str>, declared: Option<&str>) -> String {
    let first = detected.and_then(primary);
    first.or_else(|| declared.and_then(primary)).unwrap_or_else(|| "und".to_owned())
}

/// The primary part of a language tag, lower case; none when it is no code.
pub fn primary(tag: &str) -> Option<String> {
    let code = tag.split(['-', '_']).next().unwrap_or("").trim().to_ascii_lowercase();
    ((2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_detected_else_declared_else_und() {
        assert_eq!(language(Some("de"), Some("en-US")), "de");
        assert_eq!(language(None, Some("en-US")), "en");
        assert_eq!(language(None, Some(" PT_br")), "pt");
        assert_eq!(language(None, Some("<script>")), "und");
        assert_eq!(language(None, None), "und");
    }
}
