//! The page graph for other programs: GraphML, or a list of edges.

use std::io::Write;
use std::ops::Range;
use std::str::FromStr;

use anyhow::Result;
use rayon::prelude::*;

use super::graph::Csr;
use crate::findings::Extra;
use crate::threads::both;

/// A format of graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// GraphML (Brandes et al. 2002), for Gephi, yEd, NetworkX, igraph.
    GraphMl,
    /// Two columns with a tab between: source and target.
    Edges,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "graphml" => Ok(Format::GraphMl),
            "edges" => Ok(Format::Edges),
            _ => Err(format!("`{text}` is not graphml or edges")),
        }
    }
}

/// The graph as a file of the report; nodes in the order of their URLs, edges by source and target.
pub fn file(format: Format, urls: Vec<Box<str>>, ranks: Vec<f64>, outgoing: Csr) -> Extra {
    match format {
        Format::Edges => Extra {
            name: "edges.tsv".to_owned(),
            doc: "edges of the page graph: source, tab, target",
            write: Box::new(move |out| edges(out, &urls, &outgoing)),
        },
        Format::GraphMl => Extra {
            name: "graph.graphml".to_owned(),
            doc: "the page graph as GraphML, with URL and PageRank of each page",
            write: Box::new(move |out| graphml(out, &urls, &ranks, &outgoing)),
        },
    }
}

/// Edges of a piece, which one thread makes ready.
const PIECE: usize = 16 << 10;

fn edges(out: &mut (dyn Write + Send), urls: &[Box<str>], outgoing: &Csr) -> Result<()> {
    let line = |into: &mut Vec<u8>, from: usize, to: u32| {
        into.extend_from_slice(urls[from].as_bytes());
        into.push(b'\t');
        into.extend_from_slice(urls[to as usize].as_bytes());
        into.push(b'\n');
    };
    let of_some = |nodes: &Range<usize>| -> Result<Vec<u8>> {
        let mut lines = Vec::new();
        outgoing.rows(nodes.clone(), |from, part| part.iter().for_each(|&to| line(&mut lines, from, to)))?;
        Ok(lines)
    };
    let write =
        |out: &mut (dyn Write + Send), ready: &[Vec<u8>]| ready.iter().try_for_each(|lines| out.write_all(lines));
    let mut ready: Vec<Vec<u8>> = Vec::new();
    let mut pieces = outgoing.pieces(PIECE).into_iter().peekable();
    while let Some(first) = pieces.next() {
        if outgoing.degree(first.start) > PIECE {
            // One page with so many links: straight to the file.
            write(out, &std::mem::take(&mut ready))?;
            let (mut result, mut lines) = (Ok(()), Vec::new());
            outgoing.rows(first, |from, part| {
                for some in part.chunks(PIECE) {
                    lines.clear();
                    some.iter().for_each(|&to| line(&mut lines, from, to));
                    if result.is_ok() {
                        result = out.write_all(&lines);
                    }
                }
            })?;
            result?;
            continue;
        }
        let mut some = vec![first];
        while some.len() < 2 * rayon::current_num_threads()
            && let Some(next) = pieces.next_if(|next| outgoing.degree(next.start) <= PIECE)
        {
            some.push(next);
        }
        // Those before are written meanwhile.
        let next = || some.par_iter().map(of_some).collect::<Result<Vec<_>>>();
        let (written, next) = both(rayon::current_num_threads(), || write(out, &ready), next);
        written?;
        ready = next?;
    }
    Ok(write(out, &ready)?)
}

fn graphml(out: &mut (dyn Write + Send), urls: &[Box<str>], ranks: &[f64], outgoing: &Csr) -> Result<()> {
    out.write_all(
        b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n\
          <key id=\"url\" for=\"node\" attr.name=\"url\" attr.type=\"string\"/>\n\
          <key id=\"pagerank\" for=\"node\" attr.name=\"pagerank\" attr.type=\"double\"/>\n\
          <graph id=\"pages\" edgedefault=\"directed\">\n",
    )?;
    for (node, (url, rank)) in urls.iter().zip(ranks).enumerate() {
        writeln!(
            out,
            "<node id=\"n{node}\"><data key=\"url\">{}</data><data key=\"pagerank\">{rank:e}</data></node>",
            xml(url)
        )?;
    }
    outgoing.each(|from, to| Ok(writeln!(out, "<edge source=\"n{from}\" target=\"n{to}\"/>")?))?;
    out.write_all(b"</graph>\n</graphml>\n")?;
    Ok(())
}

/// Text of XML: with references for what is markup, and without what XML 1.0 cannot hold.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::graph::tests::both;
    use super::*;

    #[test]
    fn markup_in_urls_stays_text() {
        let urls: Vec<Box<str>> = vec!["http://a/?x=1&y=<2>".into(), "http://a/\u{1}b".into()];
        let (graph, _) = both(2, &[(0, 1)]);
        let mut out = Vec::new();
        graphml(&mut out, &urls, &[0.25, 0.75], &graph).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("http://a/?x=1&amp;y=&lt;2&gt;") && text.contains("http://a/b"), "{text}");
        assert!(text.contains("<edge source=\"n0\" target=\"n1\"/>") && text.contains("7.5e-1"), "{text}");
        let mut out = Vec::new();
        edges(&mut out, &urls[..1], &both(1, &[]).0).unwrap();
        assert!(out.is_empty());
    }

    #[test]
    fn edges_are_listed_in_order_whatever_their_number_on_a_page() {
        let nodes = PIECE as u32 * 2 + 3;
        let urls: Vec<Box<str>> = (0..nodes).map(|node| node.to_string().into()).collect();
        // One page links to all others, some to a few.
        let mut pairs: Vec<(u32, u32)> = (1..nodes).map(|to| (7, to)).filter(|(from, to)| from != to).collect();
        pairs.extend((0..nodes).filter(|from| from % 5 == 0).flat_map(|from| [(from, 1), (from, 2)]));
        pairs.sort_unstable();
        let (graph, _) = both(nodes as usize, &pairs);
        let mut out = Vec::new();
        edges(&mut out, &urls, &graph).unwrap();
        let wanted: String = pairs.iter().map(|(from, to)| format!("{from}\t{to}\n")).collect();
        assert!(out == wanted.as_bytes());
    }
}
