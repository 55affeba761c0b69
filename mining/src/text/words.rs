//! From text to terms: which words count, and how they are written.
//!
//! Words are those of Unicode's default word boundaries (UAX #29) that hold a letter or a digit. A term is the word in
//! normal form C, lower-cased, with `’` as `'` and without soft hyphens. Left out are stop words, words without a letter
//! (unless numbers are wanted), words shorter than the minimum (ideographs and kana count whatever their length, since
//! UAX #29 gives them one by one) and words of more than [`LONGEST`] bytes, which are data and not language.

use unicode_normalization::{UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

use super::stop::StopWords;

/// Longest term, in bytes of UTF-8.
pub const LONGEST: usize = 100;

/// Which words count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Shortest word, in characters.
    pub min_length: usize,
    /// Words without a letter count too.
    pub numbers: bool,
    /// Fewest words of a term.
    pub ngram_from: usize,
    /// Most words of a term.
    pub ngram_to: usize,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { min_length: 2, numbers: false, ngram_from: 1, ngram_to: 1 }
    }
}

/// Calls `take` with each term of a text, in order. A term of several words is a run of neighbours that all count: a word
/// left out ends the run.
pub fn terms(text: &str, rules: &Rules, stop: &StopWords, mut take: impl FnMut(&str)) {
    // The run of words so far, joined by blanks, and where each word starts.
    let mut run = String::new();
    let mut starts: Vec<usize> = Vec::new();
    words(text, |word| {
        let start = if run.is_empty() { 0 } else { run.len() + 1 };
        if start > 0 {
            run.push(' ');
        }
        write_lower(word, &mut run);
        if !counts(&run[start..], rules, stop) {
            run.clear();
            starts.clear();
            return;
        }
        if rules.ngram_to == 1 {
            take(&run);
            run.clear();
            return;
        }
        starts.push(start);
        if starts.len() > rules.ngram_to {
            let cut = starts[1];
            run.drain(..cut);
            starts.remove(0);
            starts.iter_mut().for_each(|s| *s -= cut);
        }
        for words in rules.ngram_from..=starts.len() {
            take(&run[starts[starts.len() - words]..]);
        }
    });
}

/// Calls `take` with each word of a text, in order, in normal form C and as it is written.
///
/// No word spans a blank, so a text is taken apart at blanks first: most pieces are plain ASCII words, perhaps with a comma,
/// and need none of Unicode's tables.
pub fn words(text: &str, mut take: impl FnMut(&str)) {
    pieces(text, |piece| {
        if piece.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            take(piece);
        } else if piece.is_ascii() || is_nfc_quick(piece.chars()) == unicode_normalization::IsNormalized::Yes {
            piece.unicode_words().for_each(&mut take);
        } else {
            piece.nfc().collect::<String>().unicode_words().for_each(&mut take);
        }
    });
}

/// What a byte is to [`pieces`]: a blank, a part of words, or something that words may only have within.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_whitespace() {
            classes[byte] = BLANK;
        } else if b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii() {
            classes[byte] = WORD;
        }
        byte += 1;
    }
    classes
};
const BLANK: u8 = 0;
const WORD: u8 = 1;
const OTHER: u8 = 2;

/// Calls `take` with each piece of a text between blanks that holds a word, without the punctuation around it.
pub fn pieces(text: &str, mut take: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let class = |at: usize| CLASSES[bytes[at] as usize];
    let mut at = 0;
    while at < bytes.len() {
        if class(at) != WORD {
            at += 1;
            continue;
        }
        let first = at;
        at = blank(bytes, at + 1);
        let mut end = at;
        while class(end - 1) != WORD {
            end -= 1;
        }
        take(&text[first..end]);
    }
}

/// Place of the first blank from a place on, else the length: eight bytes at a time.
fn blank(bytes: &[u8], mut at: usize) -> usize {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    while let Some(&eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let eight = u64::from_le_bytes(eight);
        // The lowest bit that is set is in the first byte below 0x21; a borrow may set others behind it.
        let low = eight.wrapping_sub(EACH * 0x21) & !eight & (EACH * 0x80);
        if low == 0 {
            at += 8;
            continue;
        }
        at += low.trailing_zeros() as usize / 8;
        if CLASSES[bytes[at] as usize] == BLANK {
            return at;
        }
        at += 1;
    }
    let rest = bytes[at..].iter().position(|&byte| CLASSES[byte as usize] == BLANK);
    rest.map_or(bytes.len(), |rest| at + rest)
}

fn write_lower(word: &str, out: &mut String) {
    if word.len() > LONGEST * 2 {
        // Too long in any case: not worth lower-casing, but must be seen to be too long.
        out.push_str(word);
    } else if word.is_ascii() {
        let start = out.len();
        out.push_str(word);
        out[start..].make_ascii_lowercase();
    } else {
        out.extend(word.to_lowercase().chars().filter(|&c| c != '\u{ad}').map(|c| if c == '’' { '\'' } else { c }));
    }
}

fn counts(word: &str, rules: &Rules, stop: &StopWords) -> bool {
    // A blank with a combining mark is a word to Unicode; terms of several words are joined by blanks.
    if word.is_empty() || word.len() > LONGEST || word.contains(' ') {
        return false;
    }
    if word.is_ascii() {
        let letter = rules.numbers || word.bytes().any(|byte| byte.is_ascii_alphabetic());
        return letter && word.len() >= rules.min_length && !stop.contains(word);
    }
    if !rules.numbers && !word.chars().any(char::is_alphabetic) {
        return false;
    }
    let long = word.len() >= rules.min_length && word.chars().nth(rules.min_length.saturating_sub(1)).is_some();
    if !long && !word.chars().all(is_whole) {
        return false;
    }
    !stop.contains(word)
}

/// Characters that are words by themselves: ideographs and kana.
fn is_whole(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, rules: &Rules, stop: &StopWords) -> Vec<String> {
        let mut found = Vec::new();
        terms(text, rules, stop, |term| found.push(term.to_owned()));
        found
    }

    fn plain(text: &str) -> Vec<String> {
        all(text, &Rules::default(), &StopWords::none())
    }

    proptest::proptest! {
        /// Taking a text apart at blanks first finds the same words, unless a combining mark follows a blank.
        #[test]
        fn words_are_those_of_the_whole_text(text in "([a-zA-Z0-9_.,;:'’()/é蜘カ\u{ad}-]{0,4}[ \n\t]?){0,12}") {
            let mut found = Vec::new();
            words(&text, |word| found.push(word.to_owned()));
            let whole: Vec<String> = text.nfc().collect::<String>().unicode_words().map(str::to_owned).collect();
            proptest::prop_assert_eq!(found, whole);
        }
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_what_stands_between_blanks_without_what_is_around(text in "[a\\x00\\x0b\\x0c\\x1f !~\\x7f\\u{80}\\u{a0}é\\n\\t\\r_9]{0,40}") {
            let mut found = Vec::new();
            pieces(&text, |piece| found.push(piece.to_owned()));
            let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
            let whole = text.split(|c: char| c.is_ascii_whitespace()).map(|run| run.trim_matches(|c| !part(c)).to_owned());
            proptest::prop_assert_eq!(found, whole.filter(|run| !run.is_empty()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn words_are_lower_cased_and_cut_as_unicode_says() {
        assert_eq!(
            plain("Vec::push – Don’t PANIC, naïve Ünïcode!"),
            ["vec", "push", "don't", "panic", "naïve", "ünïcode"]
        );
        assert_eq!(plain("ΣΊΣΥΦΟΣ ǅ Straße"), ["σίσυφος", "straße"]);
    }

    #[test]
    fn composed_and_decomposed_spellings_are_one_term() {
        assert_eq!(plain("cafe\u{301} café"), ["café", "café"]);
        assert_eq!(plain("Silben\u{ad}trennung"), ["silbentrennung"]);
    }

    #[test]
    fn numbers_count_only_when_wanted() {
        assert_eq!(plain("3.14 2024 utf8 x86_64 a1"), ["utf8", "x86_64", "a1"]);
        let rules = Rules { numbers: true, ..Rules::default() };
        assert_eq!(all("3.14 2024 7", &rules, &StopWords::none()), ["3.14", "2024"]);
    }

    #[test]
    fn short_words_are_dropped_but_not_ideographs() {
        assert_eq!(plain("a I go 蜘蛛 は x"), ["go", "蜘", "蛛", "は"]);
    }

    #[test]
    fn endless_words_are_dropped() {
        let long = "x".repeat(LONGEST);
        assert_eq!(plain(&format!("{long} {long}x {} end", "y".repeat(1_000_000))), [long.as_str(), "end"]);
    }

    #[test]
    fn runs_end_at_words_that_do_not_count() {
        let rules = Rules { ngram_to: 3, ..Rules::default() };
        let stop = StopWords::of(["the"]);
        assert_eq!(
            all("open the big data file now", &rules, &stop),
            [
                "open",
                "big",
                "data",
                "big data",
                "file",
                "data file",
                "big data file",
                "now",
                "file now",
                "data file now"
            ]
        );
        let pairs = Rules { ngram_from: 2, ngram_to: 2, ..Rules::default() };
        assert_eq!(all("aa bb cc 7 dd", &pairs, &stop), ["aa bb", "bb cc"]);
    }
}
