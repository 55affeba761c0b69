//! Which days are mined: those asked for, cut to those that the archive knows.
//!
//! A day that is staged to its end and has no page is known, and empty: its report has no rows, so a nightly run over a quiet day
//! ends well. A day that is not staged, or whose fetches are not extracted, is an error that says what to run.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use archive::{Catalogue, DataDir, DataSet, Day, Loss, MENDS, Mark, Quarantined, Span};

use crate::options::Options;

/// The topic whose marks tell what is staged, and its partitions, which are fixed for life.
const TOPIC: &str = "artefacts";
const PARTITIONS: usize = 16;

/// The days asked for, cut to those of the archive's pages, or of its fetches where nothing else is needed. Says how to get an
/// archive when there is none.
pub(super) fn span(catalogue: &Catalogue, data: &DataDir, options: &Options, needed: &[DataSet]) -> Result<Span> {
    let of = if needed == [DataSet::Artefacts] { DataSet::Artefacts } else { DataSet::Pages };
    let asked = |day: &Day| options.from.is_none_or(|from| from <= *day) && options.to.is_none_or(|to| *day <= to);
    let days = |set| catalogue.days.iter().filter(move |(_, sets)| sets.contains_key(&set)).map(|(day, _)| *day);
    let held: BTreeSet<Day> = days(of).collect();
    if let (Some(&first), Some(&last)) = (held.first(), held.last())
        && (needed.is_empty() || held.iter().any(asked))
    {
        return Ok(Span::new(options.from.unwrap_or(first).max(first), options.to.unwrap_or(last).min(last)));
    }
    let root = data.root().display();
    if needed.is_empty() && data.root().is_dir() {
        // reports have their days in their own tables
        return Ok(Span::day(options.from.or(options.to).unwrap_or(Day::of_millis(0))));
    }
    if let Some(day) = days(DataSet::Artefacts).find(asked) {
        bail!("the archive at {root} has fetches of {day} but no pages yet: run `etl extract --data {root}` first");
    }
    let staged = staged(data)?;
    let whole: BTreeSet<Day> = staged.iter().copied().filter(asked).collect();
    if let (Some(&first), Some(&last)) = (whole.first(), whole.last()) {
        if let Some(one) = missing(data, &whole)? {
            bail!("{} of {} was set aside as damaged, and its records are not there; {MENDS}", one.segment, one.day);
        }
        let span = Span::new(first, last);
        let name = of.name();
        tracing::warn!("{} is complete and has no {name}: there is nothing to count", shown(span));
        return Ok(span);
    }
    match (held.first(), held.last()) {
        (Some(first), Some(last)) => bail!(
            "no {of} in the days asked for, which are not known to be complete; the archive at {root} has {of} from {first} to \
             {last}",
            of = of.name()
        ),
        _ if !staged.is_empty() => {
            bail!(
                "the days asked for are not complete in the archive at {root}: run `etl stage --once` after their end (UTC)"
            )
        }
        _ => bail!(
            "there is no archive at {root}; to get one: `spider crawl URL --pages 100 --data {root}`, then `etl stage \
             --once --data {root}`, then `etl extract --data {root}`"
        ),
    }
}

fn shown(span: Span) -> String {
    if span.from() == span.to() { span.from().to_string() } else { format!("{} to {}", span.from(), span.to()) }
}

/// Days of which all partitions are staged to the end.
fn staged(data: &DataDir) -> Result<BTreeSet<Day>> {
    let mut days = BTreeSet::new();
    for day in archive::days_in(&data.marks())? {
        let marks = Mark::read(data, day)?;
        if marks.iter().filter(|mark| mark.topic == TOPIC).count() >= PARTITIONS {
            days.insert(day);
        }
    }
    Ok(days)
}

/// A segment of fetches of these days that was set aside as damaged and is not recorded as lost. (Of a day without segments:
/// where it was staged again, there is one.)
fn missing(data: &DataDir, days: &BTreeSet<Day>) -> Result<Option<Quarantined>> {
    let losses = Loss::list(data)?;
    let lost = |one: &Quarantined| {
        losses.iter().any(|loss| loss.source == one.source && loss.from <= one.from && one.next <= loss.next)
    };
    let aside = Quarantined::list(data)?.into_iter();
    Ok(aside.filter(|one| one.is_of_artefacts() && days.contains(&one.day)).find(|one| !lost(one)))
}
