//! `consent withdraw`: the household takes it all back.
//!
//! 1. The consent goes, and all that waited to be sent. Nothing is sent from then on, whatever happens
//!    next; a daemon that runs sees it within seconds, stops observing and ends.
//! 2. The withdrawal is signed and kept, and sent to the collector.
//! 3. The collector's signed erasure is verified and kept, for the household to show.
//! 4. Keys, decisions and accounts are deleted.
//!
//! Wherever it is interrupted, repeating the command goes on from there. Without a way to the
//! collector the withdrawal waits, and this says so; it is the one thing that is kept. A daemon that
//! runs, or is started, tells it to the collector by itself, see `watch::leaving`.

use super::{Environment, Exit, Failure};
use crate::state::{Claim, Enrolled};
use crate::uplink::{CollectorUrl, Erased, Refusal, Uplink, UplinkError};
use phonehome_proto::chance::Chance;
use phonehome_proto::id::HomeId;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::Week;
use phonehome_proto::withdrawal::{Erasure, Withdrawal};
use phonehome_proto::{decode, encode};
use std::io::Write;

/// `consent withdraw [--collector URL]`.
///
/// # Errors
/// [`Failure`]; within seconds nothing is observed or sent any more all the same.
pub async fn withdraw(
    environment: &mut Environment,
    url: Option<CollectorUrl>,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let claim = environment.state.claim()?;
    withdraw_with(&claim, environment, url, out).await
}

/// The same, with the state folder claimed already.
///
/// # Errors
/// As [`withdraw`].
pub(super) async fn withdraw_with(
    claim: &Claim,
    environment: &mut Environment,
    url: Option<CollectorUrl>,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    claim.revoke_consent()?;
    let Some(enrolled) = claim.state().enrolled()? else {
        return alone(claim, out);
    };
    writeln!(
        out,
        "the consent is withdrawn: within seconds nothing is observed and nothing is sent any more"
    )?;
    let Some((home, withdrawal)) = signed(claim, &enrolled, &mut *environment.chance)? else {
        return alone(claim, out);
    };
    // Kept, but interrupted before the rest was deleted.
    if let Some(erased) = erased_before(claim, (home, &withdrawal), &enrolled.collector)? {
        claim.forget_home()?;
        return tell(erased.erasure(), out);
    }
    let url = url.unwrap_or_else(|| enrolled.url.clone());
    let waits = |error: UplinkError| {
        let sentence = format!(
            "{error}; the collector does not know of the withdrawal yet: it is signed and waits here. \
             The daemon goes on trying while it runs; without it, repeat the command when the collector \
             can be reached"
        );
        Failure::new(Exit::Unavailable, sentence)
    };
    let connected = Uplink::connect(url, enrolled.collector).await;
    let mut uplink = connected.map_err(|failure| waits(failure.into()))?;
    let pace = &mut environment.pace();
    let mut answer = uplink.withdraw((home, &withdrawal), pace).await;
    // A rotation was under way, and its answer lost: the collector knows us by the next key. Or it ended
    // after the withdrawal was signed: by the present one.
    for key in [claim.state().next_key()?, claim.state().home_key()?] {
        let Some(key) = key.filter(|key| withdrawal.public_key != key.public().as_bytes()) else {
            continue;
        };
        if !matches!(answer, Ok(Err(Refusal::Known(Reject::KeyRetired)))) {
            break;
        }
        let again = SealedBatch::seal(PayloadType::Withdraw, withdrawal.payload.clone(), &key);
        answer = uplink.withdraw((home, &again), pace).await;
    }
    match answer.map_err(waits)? {
        Ok(erased) => {
            claim.set_erasure(erased.sealed())?;
            claim.forget_home()?;
            tell(erased.erasure(), out)
        }
        Err(Refusal::Known(Reject::UnknownKey)) => {
            claim.forget_home()?;
            writeln!(
                out,
                "the collector knows no home with this key: it holds nothing of yours. {DELETED_HERE}"
            )?;
            Ok(())
        }
        Err(Refusal::Known(Reject::Revoked)) => {
            claim.forget_home()?;
            writeln!(
                out,
                "the collector's operator had taken this home out: it holds no report of yours, and keeps the \
                 key only to refuse it. {DELETED_HERE}"
            )?;
            Ok(())
        }
        Err(refusal) => {
            let why = refusal.sentence();
            let sentence = format!("the collector does not take the withdrawal: {why}");
            Err(Failure::new(Exit::Unavailable, sentence))
        }
    }
}

const DELETED_HERE: &str = "Keys, decisions and waiting batches are deleted here.";

/// What is left to do where no collector has to be told.
fn alone(claim: &Claim, out: &mut dyn Write) -> Result<(), Failure> {
    let state = claim.state();
    // A home that began anew after an earlier one had left was never told anything.
    let is_another = state.home_key()?.is_some() && state.withdrawal()?.is_none();
    let kept = state.erasure()?.filter(|_| !is_another);
    claim.forget_home()?;
    let erasure = kept.and_then(|sealed| {
        let key = VerifyingKey::from_bytes(&sealed.public_key).ok()?;
        let payload = sealed.open(PayloadType::Erasure, &key).ok()?;
        decode::erasure(payload).ok()
    });
    if let Some(erasure) = erasure {
        return tell(&erasure, out);
    }
    writeln!(
        out,
        "no collector has taken this home in, so none has to be told. {DELETED_HERE}"
    )?;
    Ok(())
}

/// The withdrawal, kept: that of an earlier try, or a new one. `None` where the key is gone already.
fn signed(
    claim: &Claim,
    enrolled: &Enrolled,
    chance: &mut dyn Chance,
) -> Result<Option<(HomeId, SealedBatch)>, Failure> {
    let state = claim.state();
    if let Some(kept) = state.withdrawal()?
        && let Ok(withdrawal) = decode::withdrawal(&kept.payload)
    {
        return Ok(Some((withdrawal.home, kept)));
    }
    let (Some(key), Some(ours)) = (state.home_key()?, state.our_keys()?) else {
        return Ok(None);
    };
    let mut nonce = [0; 16];
    chance.fill(&mut nonce);
    let withdrawal = Withdrawal {
        audience: enrolled.collector.audience(),
        home: ours.id(),
        nonce,
    };
    let payload = encode::withdrawal(&withdrawal);
    let sealed = SealedBatch::seal(PayloadType::Withdraw, payload, &key);
    claim.set_withdrawal(&sealed)?;
    Ok(Some((withdrawal.home, sealed)))
}

/// The collector's answer to this withdrawal, if it is kept already.
fn erased_before(
    claim: &Claim,
    sent: (HomeId, &SealedBatch),
    collector: &VerifyingKey,
) -> Result<Option<Erased>, Failure> {
    let kept = claim.state().erasure()?;
    Ok(kept.and_then(|kept| Erased::verify(kept, sent, collector).ok()))
}

/// The erasure in words, and what it does not reach.
fn tell(erasure: &Erasure, out: &mut dyn Write) -> Result<(), Failure> {
    let weeks: Vec<String> = erasure.weeks.iter().map(Week::to_string).collect();
    let erased = if weeks.is_empty() {
        "it held no batch of yours in a week that is not final".to_owned()
    } else {
        format!(
            "batches erased: {}, of {}",
            erasure.batches,
            weeks.join(", ")
        )
    };
    writeln!(
        out,
        "the collector has forgotten this home, signed at {}: {erased}. Its receipt is the file \
         'erasure' in the state folder.\n\
         What stays are published numbers of weeks with many homes, in which nobody can find yours.\n\
         {DELETED_HERE}",
        erasure.erased_at
    )?;
    Ok(())
}
