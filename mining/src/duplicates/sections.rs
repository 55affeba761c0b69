//! What the page and the summary of `mine duplicates` show.

use polars::prelude::PlHashMap;

use super::groups::Groups;
use super::signature::Pages;
use super::verify::Verified;
use crate::findings::{Bar, Body, Cell, Fact, Findings, Section, View};

/// Groups of the report's table, and pages of a group that it names.
const GROUPS: usize = 200;
const NAMED: usize = 5;
/// Bands of similarity: their lower ends.
const BANDS: [f64; 8] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.5, 0.0];

/// Facts, sections and summary; no tables yet.
pub fn describe(
    pages: &Pages,
    groups: &Groups,
    similar: &PlHashMap<u32, f64>,
    verified: &Verified,
    rows: usize,
) -> Findings {
    let url = |page: u32| Cell::Page { url: pages.pages[page as usize].url.to_string(), title: None };
    let members: usize = groups.groups.iter().map(Vec::len).sum();
    let least = |group: &[u32]| group.iter().filter_map(|page| similar.get(page)).copied().fold(1.0, f64::min);
    let view = |count: usize| View {
        columns: vec!["original", "pages", "least alike", "others"],
        rows: groups
            .groups
            .iter()
            .take(count)
            .map(|group| {
                let others: Vec<&str> =
                    group[1..].iter().take(NAMED).map(|&page| &*pages.pages[page as usize].url).collect();
                let more = if group.len() > NAMED + 1 { " …" } else { "" };
                vec![
                    url(group[0]),
                    Cell::count(group.len()),
                    Cell::Float((least(group) * 1e4).round() / 1e4),
                    Cell::Text(format!("{}{more}", others.join(" "))),
                ]
            })
            .collect(),
    };
    let mut bands = [0usize; BANDS.len()];
    for group in &groups.groups {
        for page in &group[1..] {
            let likeness = similar.get(page).copied().unwrap_or(1.0);
            bands[BANDS.iter().position(|&least| likeness >= least).unwrap_or(BANDS.len() - 1)] += 1;
        }
    }
    let name = |i: usize| match i {
        0 => "1 (same words)".to_owned(),
        _ => format!("{:.2} to {:.2}", BANDS[i], BANDS[i - 1]),
    };
    let bars = bands.iter().enumerate().filter(|(_, count)| **count > 0).map(|(i, &count)| Bar {
        label: Cell::Text(name(i)),
        value: count as f64,
        text: crate::report::grouped(count as i64),
    });
    Findings {
        facts: vec![
            Fact::count("pages", pages.pages.len()),
            Fact::count("groups", groups.groups.len()),
            Fact::count("pages in groups", members),
            Fact::count("pages that could go", members - groups.groups.len()),
            Fact::count("pairs compared", verified.compared),
            Fact::count("pairs alike", verified.alike),
        ],
        sections: vec![
            Section {
                title: "How alike".to_owned(),
                note:
                    "Duplicates by the Jaccard similarity of their shingles with those of the original of their group."
                        .to_owned(),
                body: Body::Bars(bars.collect()),
            },
            Section {
                title: "Groups".to_owned(),
                note: format!(
                    "The {} largest groups. least alike: the lowest similarity of a page of the group with its original.",
                    groups.groups.len().min(GROUPS)
                ),
                body: Body::Table(view(GROUPS)),
            },
        ],
        summary: view(rows),
        ..Findings::default()
    }
}
