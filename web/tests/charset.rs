//! Character sets: what is believed in which order, and what decoding gives.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::borrow::Cow;

use proptest::prelude::*;
use web::{decode, sniff};

#[test]
fn the_character_set_is_found_in_the_order_of_browsers() {
    let html = Some("text/html");
    let latin2 = Some("text/html; charset=ISO-8859-2");
    for (body, content_type, expected) in [
        // byte order mark, header, document
        (b"\xEF\xBB\xBFx".as_slice(), latin2, "utf-8"),
        (b"\xFF\xFEx\0", latin2, "utf-16le"),
        (b"\xFE\xFF\0x", latin2, "utf-16be"),
        (b"<meta charset=gbk>", latin2, "iso-8859-2"),
        (b"<meta charset=gbk>", html, "gbk"),
        (b"<meta charset=gbk>", None, "gbk"),
        (b"<meta charset=gbk>", Some(""), "gbk"),
        (b"<meta charset=gbk>", Some("application/xhtml+xml"), "gbk"),
        (b"<meta charset=gbk>", Some("text/plain"), "utf-8"),
        // spellings of the header
        (b"", Some("text/html;charset=\"latin2\""), "iso-8859-2"),
        (b"", Some("text/html; foo=bar; CharSet = 'latin2' "), "iso-8859-2"),
        (b"", Some("text/html; charset=latin2, text/html"), "iso-8859-2"),
        (b"", Some("text/html; charset=nonsense"), "utf-8"),
        (b"<meta charset=gbk>", Some("text/html; charset=nonsense"), "gbk"),
        (b"<meta charset=gbk>", Some("text/html; charset="), "gbk"),
        (b"\xE9", Some("text/html; charset=replacement"), "windows-1252"),
        (b"", Some("text/html; charset=utf-16"), "utf-16le"),
        (b"", Some("text/html; charset=ascii"), "windows-1252"),
        // a document that says nothing
        (b"", None, "utf-8"),
        (b"ascii", html, "utf-8"),
        ("é".as_bytes(), html, "utf-8"),
        (b"caf\xE9", html, "windows-1252"),
        (b"\xC3\xA9\xC3\xA9 and one damaged \xE9", html, "utf-8"),
        (b"\xC3\xA9 cut \xE2\x82", html, "windows-1252"),
        (b"\xC3\xA9\xC3\xA9 cut \xE2\x82", html, "utf-8"),
    ] {
        assert_eq!(sniff(body, content_type), expected, "{:?} {content_type:?}", body.escape_ascii().to_string());
    }
}

#[test]
fn the_prescan_reads_meta_elements_as_the_standard_says() {
    let far = format!("{}<meta charset=gbk>", " ".repeat(1007));
    let near = format!("{}<meta charset=gbk>", " ".repeat(1006));
    for (html, expected) in [
        ("<meta charset=gbk>", Some("gbk")),
        ("<META CHARSET='GBK'>", Some("gbk")),
        ("<meta charset = \" gbk \" >", Some("gbk")),
        ("<meta/charset=gbk>", Some("gbk")),
        ("<meta name=x charset=gbk content=y>", Some("gbk")),
        ("<meta http-equiv=content-type content='text/html; charset=gbk'>", Some("gbk")),
        ("<meta content='text/html; charset=\"gbk\"' http-equiv=Content-Type>", Some("gbk")),
        ("<meta content='charset charset = gbk;x' http-equiv=content-type>", Some("gbk")),
        ("<meta content='text/html; charset=gbk'>", None),
        ("<meta http-equiv=refresh content='text/html; charset=gbk'>", None),
        ("<meta http-equiv=content-type content='text/html; charset='gbk'>", None),
        ("<meta charset=nonsense><meta charset=gbk>", Some("gbk")),
        ("<meta charset=big5 charset=gbk>", Some("big5")),
        ("<meta charset=utf-16><p>", Some("utf-8")),
        ("<meta charset=x-user-defined>", Some("windows-1252")),
        ("<!-- <meta charset=big5> --><meta charset=gbk>", Some("gbk")),
        ("<!--><meta charset=gbk>-->", Some("gbk")),
        ("<!-- <meta charset=big5>", None),
        ("<!doctype html><?php echo ?></x><meta charset=gbk>", Some("gbk")),
        ("<p title='<meta charset=big5>'><meta charset=gbk>", Some("gbk")),
        ("<p title=\"'\" class='>'><meta charset=gbk>", Some("gbk")),
        ("<p =x><meta charset=gbk>", Some("gbk")),
        ("<metadata charset=big5><meta charset=gbk>", Some("gbk")),
        ("<meta charset=gbk", None),
        ("<meta charset='gbk>", None),
        ("<", None),
        ("<a", None),
        ("</", None),
        ("<?xml version='1.0' encoding='gbk'?>", Some("gbk")),
        ("<?xml version='1.0' encoding = \"big5\"?><meta charset=gbk>", Some("gbk")),
        ("<?xml version='1.0'?>", None),
        ("<?xml encoding='utf-16'?>", Some("utf-8")),
        ("<?xml encoding=gbk?>", None),
        (&far, None),
        (&near, Some("gbk")),
    ] {
        // a byte that is no UTF-8 tells "nothing found" from "utf-8 found"
        let body = [html.as_bytes(), &b" ".repeat(2000), b"\xE9"].concat();
        assert_eq!(sniff(&body, None), expected.unwrap_or("windows-1252"), "{html}");
    }
}

#[test]
fn text_is_decoded_and_what_cannot_be_is_replaced() {
    for (body, content_type, expected) in [
        ("é".as_bytes(), None, "é"),
        (b"\xEF\xBB\xBFx", None, "x"),
        (b"\xE9\x80", Some("text/plain; charset=latin1"), "é€"),
        (b"\xE9x", Some("text/plain; charset=utf-8"), "\u{FFFD}x"),
        (b"x\0y\0", Some("text/plain; charset=utf-16le"), "xy"),
        (b"x\0y", Some("text/plain; charset=utf-16le"), "x\u{FFFD}"),
        (b"\xFF\xFEx\0\x00\xD8", None, "x\u{FFFD}"),
        (b"\x82\xA0", Some("text/plain; charset=shift_jis"), "あ"),
        (b"a\0b", None, "a\0b"),
        (b"", Some("text/plain; charset=utf-16be"), ""),
    ] {
        assert_eq!(decode(body, content_type).0, expected);
    }
}

#[test]
fn clean_utf_8_is_not_copied() {
    for (body, content_type) in
        [("text é", None), ("plain", Some("text/html; charset=windows-1252")), ("\u{FEFF}text", Some("text/html"))]
    {
        assert!(matches!(decode(body.as_bytes(), content_type).0, Cow::Borrowed(_)), "{body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn utf_8_decodes_to_itself(text in any::<String>()) {
        prop_assume!(!text.contains("charset") && !text.contains("encoding") && !text.starts_with('\u{FEFF}'));
        let (decoded, charset) = decode(text.as_bytes(), Some("text/html"));
        prop_assert_eq!((decoded.as_ref(), charset), (text.as_str(), "utf-8"));
    }

    #[test]
    fn any_bytes_decode(body in proptest::collection::vec(any::<u8>(), 0..200), label in "[a-z0-9-]{0,12}") {
        let content_type = format!("text/html; charset={label}");
        prop_assert_eq!(decode(&body, Some(&content_type)).1, sniff(&body, Some(&content_type)));
    }

    #[test]
    fn the_prescan_takes_any_bytes(
        body in proptest::collection::vec(proptest::sample::select(b"<meta/!-?=' \">chrsx\0\xE9".to_vec()), 0..80)
    ) {
        sniff(&body, None);
    }
}
