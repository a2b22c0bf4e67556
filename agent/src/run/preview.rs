//! `preview`: exactly what would be sent.
//!
//! With files, what a replay of them would send; without, what waits in the spool. The bytes come
//! from the same encoder and the same key; only a batch's random id will be another. Nothing is sent,
//! and no consent is needed.

mod view;

use super::endpoints::Present;
use super::reading::{self, Lens, Telling};
use super::status::Format;
use super::{Environment, Exit, Failure};
use crate::spool::Spool;
use crate::state::{State, StateError};
use crate::uplink::Rules;
use phonehome_proto::batch::Batch;
use phonehome_proto::id::Audience;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::SealedBatch;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// Shows what would be sent. `--format json` is one JSON document: an array with one object for each
/// batch, `payload_type`, `payload` in hexadecimal digits, and `batch`, the payload decoded.
///
/// # Errors
/// [`Failure`].
pub fn preview(
    environment: &mut Environment,
    files: &[PathBuf],
    format: Format,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let batches = if files.is_empty() {
        waiting(&environment.state)?
    } else {
        of_files(environment, files, err)?
    };
    if batches.is_empty() {
        writeln!(err, "nothing would be sent")?;
    }
    let present = Present::of(environment)?;
    let decoded = batches.iter().map(|sealed| decoded(sealed, &present));
    let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
    let batches = batches.iter().zip(&decoded);
    match format {
        Format::Json => {
            let views = batches.map(view::Preview::of).collect::<Vec<_>>();
            serde_json::to_writer(&mut *out, &views).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        Format::Table => {
            for (sealed, batch) in batches {
                view::write(sealed, batch, out)?;
            }
        }
    }
    Ok(())
}

/// What waits in the spools, `replay`'s and the daemon's, as it will be sent.
fn waiting(state: &State) -> Result<Vec<SealedBatch>, Failure> {
    let Some(ours) = state.our_keys()? else {
        return Ok(Vec::new());
    };
    let mut batches = Spool::look(&state.spool_folder(), &ours)?;
    if let Some(places) = state.daemon()? {
        batches.extend(Spool::look(places.spool(), &ours)?);
    }
    Ok(batches)
}

/// What a replay of the files would send.
fn of_files(
    environment: &mut Environment,
    files: &[PathBuf],
    err: &mut dyn Write,
) -> Result<Vec<SealedBatch>, Failure> {
    let state = environment.state.clone();
    let keys = state.keys(&mut *environment.chance)?;
    let list = state.devices()?;
    let mut dropped = state.ledger()?.dropped_unreported();
    let (audience, purpose) = collector(&state)?;
    if audience.is_none() {
        writeln!(
            err,
            "this home is not enrolled: in the batches shown, the collector they are for is left zero"
        )?;
    }
    let allowed: BTreeSet<_> = list.allowed().map(|(tag, _)| tag).collect();
    let nobody_allowed = allowed.is_empty();
    if nobody_allowed {
        writeln!(
            err,
            "no device is allowed yet: this shows what would be sent if every phone were"
        )?;
    }
    let mut telling = Telling {
        allowed,
        purpose,
        now: environment.clock.now(),
        list: Present::of(environment)?.list(),
    };
    let lens = Lens {
        secret: &keys.local,
        list: &list,
        seed: environment.seed(),
    };
    let mut batches = Vec::new();
    let chance = &mut *environment.chance;
    reading::each(files, &lens, err, |capture, world, err| {
        if nobody_allowed {
            let devices = &world.devices;
            let phones = devices
                .ids()
                .filter(|id| devices.verdict(*id).is_phone == Some(true));
            let tags = phones.map(|id| devices.tag(id));
            telling.allowed = tags.filter(|tag| list.get(*tag).is_none()).collect();
        }
        let (days, told) = telling.days(&world, std::mem::take(&mut dropped));
        for sentence in told {
            writeln!(err, "{capture}: {sentence}")?;
        }
        let audience = audience.unwrap_or(Audience::new([0; 32]));
        let sealed = reading::sealed(&days, audience, &keys, chance);
        batches.extend(sealed.into_iter().map(|(_, sealed)| sealed));
        Ok(())
    })?;
    Ok(batches)
}

/// Whom batches are for, and what it publishes for as far as is known.
pub(super) fn collector(state: &State) -> Result<(Option<Audience>, Purpose), StateError> {
    let Some(enrolled) = state.enrolled()? else {
        return Ok((None, Purpose::Observatory));
    };
    let manifest = state.manifest()?;
    let purpose = manifest.and_then(|manifest| Rules::purpose_of(&manifest, &enrolled.collector));
    Ok((
        Some(enrolled.collector.audience()),
        purpose.unwrap_or(Purpose::Observatory),
    ))
}

/// The batch in a sealed payload that we made ourselves.
fn decoded(sealed: &SealedBatch, present: &Present) -> Result<Batch, Failure> {
    present.batch(sealed).map_err(|reject| {
        let what = format!(
            "a batch of our own cannot be shown, because {}, or the endpoint list it was made by is gone",
            reject.sentence()
        );
        Failure::new(Exit::Finding, what)
    })
}
