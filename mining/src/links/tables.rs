//! From the graph and its scores to tables.

use anyhow::Result;
use polars::prelude::{Column, DataFrame, NamedFrom, Series};
use rayon::prelude::*;

use super::Graph;
use super::broken::Broken;
use super::gather::Gathered;
use super::hosts::HostTable;

/// Places of pages, the highest PageRank first, equal ones by URL.
pub fn order(graph: &Graph) -> Vec<u32> {
    let mut order: Vec<u32> = (0..graph.outgoing.nodes() as u32).collect();
    // Stable, and numbers are in the order of URLs.
    order.par_sort_by(|&a, &b| graph.ranks.ranks[b as usize].total_cmp(&graph.ranks.ranks[a as usize]));
    order
}

/// Table `pages`.
pub fn pages(gathered: &Gathered, graph: &Graph, order: &[u32]) -> Result<DataFrame> {
    let page = |&v: &u32| &gathered.pages.pages[v as usize];
    let ints = |name: &str, value: &dyn Fn(usize) -> i64| {
        Column::from(Series::new(name.into(), order.iter().map(|&v| value(v as usize)).collect::<Vec<_>>()))
    };
    let floats = |name: &str, values: &[f64]| {
        Column::from(Series::new(name.into(), order.iter().map(|&v| values[v as usize]).collect::<Vec<_>>()))
    };
    let columns = vec![
        Series::new("url".into(), order.iter().map(|v| &*page(v).url).collect::<Vec<_>>()).into(),
        Series::new("host".into(), order.iter().map(|v| &*page(v).host).collect::<Vec<_>>()).into(),
        ints("in_degree", &|v| graph.incoming.degree(v) as i64),
        ints("out_degree", &|v| graph.outgoing.degree(v) as i64),
        floats("pagerank", &graph.ranks.ranks),
        floats("hub", &graph.scores.hubs),
        floats("authority", &graph.scores.authorities),
        ints("scc", &|v| i64::from(graph.strong[v])),
        ints("wcc", &|v| i64::from(graph.weak[v])),
    ];
    Ok(DataFrame::new(order.len(), columns)?)
}

/// Table `orphans`.
pub fn orphans(gathered: &Gathered, graph: &Graph) -> Result<DataFrame> {
    let urls: Vec<&str> = orphaned(graph).map(|v| &*gathered.pages.pages[v].url).collect();
    Ok(DataFrame::new(urls.len(), vec![Series::new("url".into(), urls).into()])?)
}

/// Pages that no other page links to.
pub fn orphaned(graph: &Graph) -> impl Iterator<Item = usize> {
    (0..graph.incoming.nodes()).filter(|&v| graph.incoming.degree(v) == 0)
}

/// Table `hosts`.
pub fn hosts(table: &HostTable) -> Result<DataFrame> {
    let ints = |name: &str, value: &dyn Fn(&super::hosts::HostRow) -> u64| {
        Column::from(Series::new(name.into(), table.rows.iter().map(|row| value(row) as i64).collect::<Vec<_>>()))
    };
    let columns = vec![
        Series::new("host".into(), table.rows.iter().map(|row| row.host.as_str()).collect::<Vec<_>>()).into(),
        ints("pages", &|row| row.pages),
        ints("in_links", &|row| row.in_links),
        ints("out_links", &|row| row.out_links),
        ints("external", &|row| row.external),
    ];
    Ok(DataFrame::new(table.rows.len(), columns)?)
}

/// Table `broken`.
pub fn broken(gathered: &Gathered, links: &[Broken]) -> Result<DataFrame> {
    let urls = gathered.urls();
    let answer = |link: &Broken| gathered.answers[link.end as usize].as_ref();
    let status: Vec<Option<i64>> = links.iter().map(|link| answer(link).and_then(|a| a.status)).collect();
    let error: Vec<Option<&str>> = links.iter().map(|link| answer(link).and_then(|a| a.error.as_deref())).collect();
    let columns = vec![
        Series::new("src".into(), links.iter().map(|link| urls[link.from as usize]).collect::<Vec<_>>()).into(),
        Series::new("dst".into(), links.iter().map(|link| urls[link.to as usize]).collect::<Vec<_>>()).into(),
        Series::new("status".into(), status).into(),
        Series::new("error".into(), error).into(),
        Series::new("anchor".into(), links.iter().map(|link| link.anchor.as_deref()).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(links.len(), columns)?)
}
