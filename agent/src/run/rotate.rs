//! `key rotate`: another key for the same home.
//!
//! The new key is on the disk before the collector hears of it, and the old one stays until there is a
//! verified receipt; in between, repeating the command sends the same bytes and gets the same answer,
//! and so does whatever sends batches next (`Begun`). Batches that wait in the spool keep the
//! signature they have: the collector goes on taking them until their weeks are final.

use super::{Environment, Exit, Failure};
use crate::state::{Claim, Enrolled, State, StateError};
use crate::uplink::{CollectorUrl, Held, Refusal, Uplink};
use phonehome_proto::encode;
use phonehome_proto::id::{HomeId, to_hex};
use phonehome_proto::rotation::{Rotation, RotationFacts};
use phonehome_proto::seal::{PayloadType, SealedBatch};
use std::io::Write;

/// A rotation of which nobody knows whether the collector took it.
#[derive(Debug)]
pub(super) struct Begun {
    home: HomeId,
    sealed: SealedBatch,
}

impl Begun {
    /// The rotation under way, if there is one: the same bytes every time.
    pub(super) fn of(state: &State, enrolled: &Enrolled) -> Result<Option<Self>, StateError> {
        let keys = (state.home_key()?, state.next_key()?, state.our_keys()?);
        let (Some(key), Some(next), Some(ours)) = keys else {
            return Ok(None);
        };
        let facts = RotationFacts {
            audience: enrolled.collector.audience(),
            home: ours.id(),
            new_key: next.public(),
        };
        let proof = next.sign(PayloadType::Rotate, &encode::rotation_facts(&facts));
        let payload = encode::rotation(&Rotation { facts, proof });
        let sealed = SealedBatch::seal(PayloadType::Rotate, payload, &key);
        Ok(Some(Self {
            home: facts.home,
            sealed,
        }))
    }

    /// Whose it is, and what is sent.
    pub(super) const fn sent(&self) -> (HomeId, &SealedBatch) {
        (self.home, &self.sealed)
    }

    /// Does what the collector's answer asks for; gives its refusal.
    pub(super) fn settle(
        claim: &Claim,
        answer: Result<Held, Refusal>,
    ) -> Result<Result<Held, Refusal>, StateError> {
        match &answer {
            Ok(_) => claim.finish_rotation()?,
            Err(refusal) if refusal.is_final() => claim.drop_rotation()?,
            Err(_) => {}
        }
        Ok(answer)
    }
}

/// `key rotate [--collector URL]`: has the collector know this home by another key.
///
/// # Errors
/// [`Failure`]; the home then has the key it had, or the rotation is under way and can be repeated.
pub async fn rotate(
    environment: &mut Environment,
    url: Option<CollectorUrl>,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let claim = environment.state.claim()?;
    // Those that are not there yet are made.
    let _ = claim.keys(&mut *environment.chance)?;
    if claim.state().withdrawal()?.is_some() {
        let sentence = "this home is leaving; finish that first: phonehome-agent consent withdraw";
        return Err(Failure::new(Exit::Unavailable, sentence));
    }
    let was_begun = claim.state().next_key()?.is_some();
    claim.begin_rotation(&mut *environment.chance)?;
    let Some(enrolled) = claim.state().enrolled()? else {
        claim.finish_rotation()?;
        writeln!(
            out,
            "no collector knows this home, so its key was replaced here; it is a new home with the key {}",
            key_words(claim.state())?
        )?;
        return Ok(());
    };
    let begun = Begun::of(claim.state(), &enrolled)?.expect("it was just begun");
    let url = url.unwrap_or_else(|| enrolled.url.clone());
    let mut uplink = match Uplink::connect(url, enrolled.collector).await {
        Ok(uplink) => uplink,
        Err(failure) => {
            if !was_begun {
                // Nobody has heard of it.
                claim.drop_rotation()?;
            }
            return Err(failure.into());
        }
    };
    let answer = uplink.rotate(begun.sent(), &mut environment.pace()).await;
    let answer = answer.map_err(|error| {
        let again = "repeat the command, so that both sides agree which key it is";
        Failure::new(Exit::Unavailable, format!("{error}; {again}"))
    })?;
    match Begun::settle(&claim, answer)? {
        Ok(held) => {
            writeln!(
                out,
                "the collector knows this home by the key {} since {}; batches that wait keep their \
                 signature and are still taken",
                key_words(claim.state())?,
                held.receipt().received_at
            )?;
            Ok(())
        }
        Err(refusal) => {
            let then = if refusal.is_final() {
                "this home keeps the key it has"
            } else {
                "repeat the command later"
            };
            let why = refusal.sentence();
            let sentence = format!("the collector does not take the new key: {why}; {then}");
            Err(Failure::new(Exit::Unavailable, sentence))
        }
    }
}

fn key_words(state: &State) -> Result<String, StateError> {
    let key = state.home_key()?.map(|key| key.public());
    Ok(key.map_or_else(String::new, |key| to_hex(key.as_bytes())))
}
