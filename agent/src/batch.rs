//! Batches: a day, cut to fit.
//!
//! Takes a [`DaySummary`], gives the [`Batch`]es that tell it, each ready to be sealed. Most days are
//! one batch; a day with more than [`limits::BATCH_OBSERVATIONS_MAX`] observations is several, which
//! the collector unites again: the census stands in each, losses in the first only, because losses add.
//! A day on which nobody was contacted is one batch without observations.

use crate::observe::DaySummary;
use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage};
use phonehome_proto::chance::Chance;
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::limits;
use phonehome_proto::time::Day;
use std::collections::BTreeMap;

/// The batches of one day, at least one. Their ids come from `chance` and are the only thing in them
/// that does.
///
/// # Panics
/// Never, for a summary made by [`crate::observe`].
#[must_use]
pub fn batches(
    summary: &DaySummary,
    audience: Audience,
    home: HomeId,
    chance: &mut dyn Chance,
) -> Vec<Batch> {
    let DaySummary {
        day,
        census,
        coverage,
        endpoint_list_version,
        observations,
    } = summary;
    // `chunks` gives none of nothing, and a silent day is told too.
    let chunks = observations.chunks(limits::BATCH_OBSERVATIONS_MAX);
    let chunks: Vec<_> = if observations.is_empty() {
        vec![&[][..]]
    } else {
        chunks.collect()
    };
    let mut losses = Some(coverage.losses.clone());
    chunks
        .into_iter()
        .map(|chunk| {
            let mut batch_id = [0; 16];
            chance.fill(&mut batch_id);
            let header = BatchHeader {
                audience,
                home,
                batch_id: BatchId::new(batch_id),
                day: *day,
                agent_version: AgentVersion::current(),
                endpoint_list_version: *endpoint_list_version,
            };
            let losses = losses.take().unwrap_or_else(BTreeMap::new);
            let coverage = Coverage {
                source: coverage.source,
                losses,
            };
            Batch::new(header, census.clone(), coverage, chunk.to_vec()).expect(
                "a summary's day has a phone, and its observations are of the census, each once",
            )
        })
        .collect()
}

/// Moves days so that the last of them is `last`, keeping their distances: a capture from another year
/// becomes one an exercise's collector accepts. Days that would lie before 1970 are left out, and their
/// number is given.
///
/// Only towards a collector whose manifest says that it is an exercise.
#[must_use]
pub fn move_to(days: &mut Vec<DaySummary>, last: Day) -> usize {
    let Some(newest) = days.iter().map(|summary| summary.day).max() else {
        return 0;
    };
    let count = days.len();
    days.retain_mut(|summary| {
        let before = newest.number() - summary.day.number();
        let moved = last.number().checked_sub(before).and_then(Day::new);
        summary.day = moved.unwrap_or(summary.day);
        moved.is_some()
    });
    count - days.len()
}

#[cfg(test)]
mod tests;
