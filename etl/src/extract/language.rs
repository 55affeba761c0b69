//! The language of a text: told by its commonest words where there are many of one language, else by `whatlang`, when it is sure,
//! from the languages whose commonest words occur.
//!
//! Comparing a text with forty languages takes nearly as long as parsing a page. So where the commonest words leave no doubt,
//! nothing is compared; where they speak clearly for one language, only it and the next few are. The answer is seldom another
//! one, and then most often a language instead of none: `whatlang` is sure when the second language is far behind the first, and
//! the second may not be among them.

use std::collections::HashMap;
use std::sync::LazyLock;

use whatlang::{Detector, Lang};

/// Most bytes of a text that its language is told from; more do not make it surer.
const SAMPLE: usize = 2 << 10;
/// A text with fewer letters is not compared at all, unless it has letters that ASCII has not: hardly any of those is told.
const LETTERS: usize = 40;
/// Weight of a common word that one language alone has; one that several have is shared among them.
const WEIGHT: u32 = 60;
/// Weight of the common words that the clearest language has at least, and how many times more than the next.
const CLEAR: u32 = 2 * WEIGHT;
const CLEARER: u32 = 2;
/// The same where nothing is compared.
const CERTAIN: u32 = 12 * WEIGHT;
const SURER: u32 = 4;
/// Languages that are compared when the common words speak clearly.
const COMPARED: usize = 8;

/// The language of a text, ISO 639-1 where there is one, else 639-3; none when it cannot be told reliably.
pub fn of(text: &str) -> Option<&'static str> {
    let end = (0..=SAMPLE.min(text.len())).rev().find(|i| text.is_char_boundary(*i))?;
    let sample = &text[..end];
    if sample.is_ascii() && sample.bytes().filter(u8::is_ascii_alphabetic).count() < LETTERS {
        return None;
    }
    let info = match likely(sample) {
        Likely::One(lang) => return Some(code(lang)),
        Likely::Few(few) => Detector::with_allowlist(few).detect(sample),
        Likely::Any => whatlang::detect(sample),
    }?;
    info.is_reliable().then(|| code(info.lang()))
}

/// What the common words of a text say.
#[derive(Debug, PartialEq, Eq)]
enum Likely {
    /// It is this language.
    One(Lang),
    /// It is one of these, the first most likely.
    Few(Vec<Lang>),
    /// Nothing clear.
    Any,
}

/// The languages whose common words occur most.
fn likely(sample: &str) -> Likely {
    let mut hits = [0_u32; COMMON.len()];
    for word in sample.split(|c: char| !c.is_alphabetic() && c != '\'').filter(|word| !word.is_empty()) {
        let found = match word.chars().any(char::is_uppercase) {
            true => LANGUAGES.get(word.to_lowercase().as_str()),
            false => LANGUAGES.get(word),
        };
        if let Some(languages) = found {
            for language in languages {
                hits[*language] += WEIGHT / u32::try_from(languages.len()).unwrap_or(WEIGHT);
            }
        }
    }
    let mut order: Vec<usize> = (0..hits.len()).collect();
    order.sort_by_key(|language| (std::cmp::Reverse(hits[*language]), *language));
    let (first, second) = (hits[order[0]], hits[order[1]]);
    if first >= CERTAIN && first >= SURER * second && is_latin(sample) {
        Likely::One(COMMON[order[0]].0)
    } else if first >= CLEAR && first >= CLEARER * second {
        Likely::Few(order[..COMPARED].iter().map(|language| COMMON[*language].0).collect())
    } else {
        Likely::Any
    }
}

/// Whether hardly any of the letters are of another script: a Chinese page may quote much English.
fn is_latin(sample: &str) -> bool {
    let others = sample.chars().filter(|c| c.is_alphabetic() && !matches!(c, ..'\u{250}' | '\u{1e00}'..'\u{1f00}'));
    others.count() * 50 < sample.len()
}

/// Word to the places in [`COMMON`] of the languages that have it.
static LANGUAGES: LazyLock<HashMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
    let mut languages: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for (language, (_, words)) in COMMON.iter().enumerate() {
        for word in words.split_ascii_whitespace() {
            languages.entry(word).or_default().push(language);
        }
    }
    languages
});

/// Some of the commonest words of each language in Latin script that `whatlang` knows. Other scripts have few languages each.
const COMMON: [(Lang, &str); 33] = [
    (Lang::Eng, "the and of to in is that for it with as are this be on by not from or an which can will if you"),
    (Lang::Fra, "le la les des et est une dans que pour qui sur pas plus avec sont par vous ce du un en ou au"),
    (Lang::Deu, "der die das und ist nicht ein eine mit von den des auf für dem sich auch werden im zu wird es oder"),
    (Lang::Spa, "el la los las de que y en un una por con para es del se no su como más lo al o este"),
    (Lang::Por, "o a os as de que e do da em um uma para com não por é dos mais se na no ao ou"),
    (Lang::Ita, "il lo la gli le di che e in un una per con non è del della sono si da i al nel o"),
    (Lang::Nld, "de het een en van is dat niet op te zijn voor met die aan er ook worden bij in als om of"),
    (Lang::Swe, "och att det som en är på för av med till inte den ett har om de i kan eller"),
    (Lang::Dan, "og at det er en til af på for med ikke den som der et har de i kan eller"),
    (Lang::Nob, "og det er en til på for av med ikke som den at har et i de å kan eller"),
    (Lang::Fin, "ja on ei että se oli ovat hän mutta joka kun niin myös tai voi mukaan sen kuin"),
    (Lang::Est, "ja on ei et see oli kui mis ka aga või seda tema nende kes siis"),
    (Lang::Lav, "un ir ar no par uz kas ka bet arī tas tiek viņš lai nav vai"),
    (Lang::Lit, "ir yra kad su iš tai kaip į bet buvo jo apie ne ar už"),
    (Lang::Pol, "i w na z się nie jest do to że jak o po dla przez od lub są"),
    (Lang::Ces, "a je se na v že s to z do jako není pro by ale nebo k jsou"),
    (Lang::Slk, "a je sa na v že s to z do ako nie pre by ale alebo k sú"),
    (Lang::Slv, "in je se na v za da so ki z ne pa tudi od ali bi"),
    (Lang::Hrv, "i je se na u za da su koji od ne kao s iz ili biti"),
    (Lang::Hun, "a az és hogy nem is egy ez van meg de csak vagy el"),
    (Lang::Ron, "și de la în că nu cu este pe un o din pentru mai să sau"),
    (Lang::Tur, "ve bir bu da de için ile olarak daha çok olan ne gibi veya"),
    (Lang::Aze, "və bir bu üçün ilə olan da ki də sonra kimi"),
    (Lang::Vie, "và của là có cho không được các một trong người những với"),
    (Lang::Ind, "yang dan di itu dengan untuk tidak ini dari dalam akan pada atau"),
    (Lang::Jav, "ing lan iku kang ora saka karo sing"),
    (Lang::Tgl, "ang ng sa na mga at ay hindi ito"),
    (Lang::Cat, "el la els les de que i en un una per amb no és del o al"),
    (Lang::Epo, "la kaj de en estas ne al por kiu oni el aŭ"),
    (Lang::Lat, "et in est non ut ad cum quod sed ex"),
    (Lang::Afr, "die en van is het nie dat vir op te in wat met om as sy"),
    (Lang::Cym, "y yr yn a i o ar mae ei"),
    (Lang::Zul, "ukuthi noma futhi ngoba"),
];

/// The code of a language.
pub fn code(lang: Lang) -> &'static str {
    match lang {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentences of the first articles of the Universal Declaration of Human Rights.
    const TEXTS: [(&str, &str); 6] = [
        (
            "en",
            "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should \
             act towards one another in a spirit of brotherhood. Everyone is entitled to all the rights and freedoms set forth in \
             this Declaration, without distinction of any kind.",
        ),
        (
            "de",
            "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen \
             einander im Geist der Brüderlichkeit begegnen. Jeder hat Anspruch auf die in dieser Erklärung verkündeten Rechte und \
             Freiheiten ohne irgendeinen Unterschied.",
        ),
        (
            "fr",
            "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et \
             doivent agir les uns envers les autres dans un esprit de fraternité. Chacun peut se prévaloir de tous les droits et de \
             toutes les libertés proclamés dans la présente Déclaration.",
        ),
        (
            "es",
            "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben \
             comportarse fraternalmente los unos con los otros. Toda persona tiene todos los derechos y libertades proclamados en \
             esta Declaración, sin distinción alguna.",
        ),
        (
            "ru",
            "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.",
        ),
        ("ja", "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"),
    ];

    #[test]
    fn languages_are_told() {
        for (code, text) in TEXTS {
            assert_eq!(of(text), Some(code), "{text}");
        }
        for text in ["", "12 34 56", "x"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_short_is_not_told_though_it_could_be_guessed() {
        let short = "who would have thought of the weather";
        assert!(whatlang::detect(short).is_some_and(|info| info.is_reliable()), "{short}");
        assert_eq!(of(short), None);
        assert_eq!(of(&format!("{short} and the storm that was to come")), Some("en"));
    }

    #[test]
    fn few_languages_give_the_same_answer_as_all() {
        for (_, text) in TEXTS {
            for part in 1..8 {
                let words: Vec<&str> = text.split(' ').collect();
                let part = words[words.len() * (part - 1) / 8..].join(" ");
                let all = whatlang::detect(&part).filter(|info| info.is_reliable()).map(|info| code(info.lang()));
                assert_eq!(of(&part), all, "{part}");
            }
        }
        let text = TEXTS[0].1;
        assert!(
            matches!(likely(&text[..text.len() / 2]), Likely::Few(few) if few[0] == Lang::Eng),
            "the short way is not taken"
        );
        assert_eq!(likely(&text.repeat(4)), Likely::One(Lang::Eng), "the shortest way is not taken");
    }

    #[test]
    fn a_page_that_quotes_much_english_is_not_told_by_its_words() {
        let quotes = TEXTS[0].1.repeat(4);
        assert_eq!(likely(&quotes), Likely::One(Lang::Eng));
        let page = format!("{quotes}{}", TEXTS[TEXTS.len() - 1].1.repeat(3));
        assert_ne!(likely(&page), Likely::One(Lang::Eng));
    }

    #[test]
    fn every_language_has_a_code_of_two_letters_and_its_own() {
        let codes: std::collections::BTreeSet<_> = Lang::all().iter().map(|lang| code(*lang)).collect();
        assert_eq!(codes.len(), Lang::all().len());
        let longer: Vec<_> = codes.iter().filter(|code| code.len() != 2).collect();
        assert!(longer.is_empty(), "{longer:?}");
    }
}
