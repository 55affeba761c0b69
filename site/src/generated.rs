//! Pages that are computed, since no disk holds them: an endless calendar, deep nesting, a large tree of pages.

use std::fmt::Write;

use crate::files::Found;

/// A page of the calendar: `rest` is `YYYY/MM` or `YYYY/MM/DD`, anything else is the first month. Every page links to
/// the month after and the month before, so a crawler without a limit never leaves.
pub(crate) fn calendar(prefix: &str, rest: &str) -> Found {
    let mut parts = rest.split(['/', '?']).filter_map(|part| part.parse::<u32>().ok());
    let year = parts.next().unwrap_or(2026).clamp(1, 999_999);
    let month = parts.next().unwrap_or(1).clamp(1, 12);
    let day = parts.next();
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let last = if month == 1 { (year.saturating_sub(1), 12) } else { (year, month - 1) };
    let mut page = format!("<!doctype html><html lang=\"en\"><title>Calendar {year}-{month:02}</title>\n");
    let _ = writeln!(page, "<p><a href=\"{prefix}{}/{:02}\">Month before</a>", last.0, last.1);
    let _ = writeln!(page, "<a href=\"{prefix}{}/{:02}\" rel=\"next\">Month after</a></p>", next.0, next.1);
    match day {
        Some(day) => {
            let _ = writeln!(page, "<p>Nothing is planned for {year}-{month:02}-{day:02}.</p>");
        }
        None => {
            for day in 1..=28 {
                let _ = writeln!(page, "<a href=\"{prefix}{year}/{month:02}/{day:02}\">{day}</a>");
            }
        }
    }
    Found::html(200, page)
}

/// A page of `depth` elements that are all open at once, with one link at the bottom.
pub fn nested_page(depth: u32) -> String {
    let depth = depth as usize;
    let mut page = String::with_capacity(depth * 11 + 200);
    page.push_str("<!doctype html><html lang=\"en\"><title>Deep</title><body>");
    page.push_str(&"<div>".repeat(depth));
    page.push_str("<p>The bottom of a very deep page.</p><a href=\"/\">back to the top</a>");
    page.push_str(&"</div>".repeat(depth));
    page.push_str("</body></html>\n");
    page
}

/// Page `number` of a tree of `pages` pages, `None` beyond it. It links to its children, so that all are reachable
/// from page 0, and to three others, chosen by the number alone.
pub fn tree_page(number: u32, pages: u32, fanout: u32) -> Option<String> {
    if number >= pages {
        return None;
    }
    let fanout = fanout.max(1);
    let mut page = format!("<!doctype html><html lang=\"en\"><title>Page {number}</title>\n<h1>Page {number}</h1>\n");
    let first = u64::from(number) * u64::from(fanout) + 1;
    for child in (first..first + u64::from(fanout)).take_while(|child| *child < u64::from(pages)) {
        let _ = writeln!(page, "<a href=\"{child}.html\">child {child}</a>");
    }
    let mut mixed = number;
    for _ in 0..3 {
        mixed = mix(mixed);
        let other = mixed % pages;
        let _ = writeln!(page, "<a href=\"{other}.html\">see also {other}</a>");
    }
    page.push_str("<p>");
    for _ in 0..120 {
        mixed = mix(mixed);
        let _ = write!(page, "{} ", WORDS[mixed as usize % WORDS.len()]);
    }
    page.push_str("</p>\n");
    Some(page)
}

/// A page of the tree by what follows the prefix in its path.
pub(crate) fn tree(rest: &str, pages: u32, fanout: u32) -> Found {
    let name = rest.split('?').next().unwrap_or_default();
    let number = if name.is_empty() { Some(0) } else { name.strip_suffix(".html").and_then(|stem| stem.parse().ok()) };
    // "007.html" is no second name of "7.html", and "/" none of "0.html": each page has one URL
    if name.is_empty() {
        return Found::redirect(302, "0.html");
    }
    match number.filter(|number: &u32| format!("{number}.html") == name) {
        Some(number) => tree_page(number, pages, fanout).map_or_else(Found::missing, |page| Found::html(200, page)),
        None => Found::missing(),
    }
}

/// One step of a linear congruential generator (Numerical Recipes), folded so that low bits are good enough.
fn mix(state: u32) -> u32 {
    let next = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    next ^ (next >> 15)
}

const WORDS: [&str; 24] = [
    "river", "stone", "letter", "window", "garden", "winter", "signal", "harbour", "paper", "engine", "orchard",
    "lamp", "bridge", "copper", "valley", "thread", "morning", "ladder", "mirror", "planet", "meadow", "anchor",
    "forest", "clock",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_page_of_a_tree_is_reachable_from_the_first() {
        let (pages, fanout) = (137, 3);
        let mut seen = BTreeSet::from([0]);
        let mut queue = vec![0];
        while let Some(number) = queue.pop() {
            let page = tree_page(number, pages, fanout).unwrap();
            for link in page.split("href=\"").skip(1) {
                let number: u32 = link.split(".html").next().unwrap().parse().unwrap();
                if seen.insert(number) {
                    queue.push(number);
                }
            }
        }
        assert_eq!(seen, (0..pages).collect());
        assert_eq!(tree_page(pages, pages, fanout), None);
        assert_eq!(tree("007.html", pages, fanout).status, 404);
    }

    #[test]
    fn the_calendar_goes_on_over_the_turn_of_a_year() {
        let page = String::from_utf8(calendar("/calendar/", "2026/12").body.to_vec()).unwrap();
        assert!(page.contains("/calendar/2027/01") && page.contains("/calendar/2026/11"), "{page}");
        assert_eq!(calendar("/calendar/", "rubbish").status, 200);
    }
}
