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
/// No word spans a blank, nor what always ends a word, so a text is taken apart there first: most pieces are plain ASCII words,
/// perhaps with a comma, and need none of Unicode's tables.
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

/// What a byte is to [`pieces`]: a blank, a part of words, something that words may have within, or what always ends a word.
const CLASSES: [u8; 256] = {
    let mut classes = [HARD; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_whitespace() {
            classes[byte] = BLANK;
        } else if b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii() {
            classes[byte] = WORD;
        } else if matches!(b, b'\'' | b',' | b'.' | b':' | b';') {
            classes[byte] = WITHIN;
        }
        byte += 1;
    }
    classes
};
const BLANK: u8 = 0;
const WORD: u8 = 1;
const WITHIN: u8 = 2;
const HARD: u8 = 3;

/// Calls `take` with each piece of a text that holds a word, without the punctuation around it. Pieces end at blanks, and at those
/// characters of ASCII before and behind which words always end, unless what follows is not ASCII and may combine with them.
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
        at = end_of_piece(bytes, at + 1);
        let mut end = at;
        while class(end - 1) != WORD {
            end -= 1;
        }
        take(&text[first..end]);
    }
}

/// Place of the first byte from a place on at which a piece ends, else the length: eight bytes at a time.
fn end_of_piece(bytes: &[u8], mut at: usize) -> usize {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = EACH * 0x80;
    let ends = |at: usize| match CLASSES[bytes[at] as usize] {
        BLANK => true,
        HARD => bytes.get(at + 1).is_none_or(u8::is_ascii),
        _ => false,
    };
    while let Some(&eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let eight = u64::from_le_bytes(eight);
        // By byte, without its highest bit: that bit of a sum tells whether it is greater than a bound.
        let seven = eight & !HIGH;
        let above = |bytes: u64, bound: u8| bytes + EACH * u64::from(0x7f - bound);
        let lower = seven | (EACH * 0x20);
        let letters = above(lower, b'a' - 1) & !above(lower, b'z');
        let digits = above(seven, b'0' - 1) & !above(seven, b'9');
        let others = !(letters | digits | eight) & HIGH;
        if others == 0 {
            at += 8;
            continue;
        }
        at += others.trailing_zeros() as usize / 8;
        if ends(at) {
            return at;
        }
        at += 1;
    }
    (at..bytes.len()).find(|&at| ends(at)).unwrap_or(bytes.len())
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
        /// Byte by byte, as it is said.
        #[test]
        fn pieces_end_at_blanks_and_at_what_always_ends_a_word(text in "[aZ\\x00\\x0b\\x0c\\x1f !~'.,:;@\\[`{/\\x7f\u{80}\u{a0}\u{301}é\\n\\t\\r_09-]{0,40}") {
            let mut found = Vec::new();
            pieces(&text, |piece| found.push(piece.to_owned()));
            let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
            let mut wanted = vec![String::new()];
            let mut following = text.chars().skip(1).chain([' ']);
            for c in text.chars() {
                let next = following.next().unwrap_or(' ');
                let hard = !part(c) && !"',.:;".contains(c) && next.is_ascii();
                match c.is_ascii_whitespace() || hard {
                    true => wanted.push(String::new()),
                    false => wanted.last_mut().expect("there is one").push(c),
                }
            }
            let wanted: Vec<&str> = wanted.iter().map(|run| run.trim_matches(|c| !part(c))).filter(|run| !run.is_empty()).collect();
            proptest::prop_assert_eq!(found, wanted);
        }

        /// Words do not depend on where a text is cut into pieces, also where marks combine with what is not a letter.
        #[test]
        fn pieces_have_the_words_of_the_text(text in "([a-z0-9=<>!#*\"'.,:;/_()\u{301}\u{338}\u{ad}\u{200d}é蜘カ-]{0,6} ?){0,8}") {
            let mut found = Vec::new();
            words(&text, |word| found.push(word.to_owned()));
            let pieces = text.split(' ').map(|run| run.nfc().collect::<String>());
            let whole: Vec<String> = pieces.flat_map(|run| run.unicode_words().map(str::to_owned).collect::<Vec<_>>()).collect();
            proptest::prop_assert_eq!(found, whole);
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
