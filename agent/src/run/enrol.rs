//! `enrol`: asks a collector to take this home in.

use super::endpoints::Present;
use super::{Environment, Exit, Failure, gates};
use crate::consent::{Given, Shut};
use crate::state::{Claim, Enrolled};
use crate::uplink::{CollectorUrl, Pace, Rules, Uplink};
use phonehome_proto::encode;
use phonehome_proto::enrolment::{Enrolment, Invite};
use phonehome_proto::limits::{self, PROBATION_DAYS};
use phonehome_proto::manifest::{EnrolmentMode, Purpose};
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::Timestamp;
use std::io::Write;

/// `enrol INVITE`: speaks to the collector of the invite, at `url` if that is another address.
///
/// Enrolling again with the same collector changes nothing.
///
/// # Errors
/// [`Failure`].
pub async fn enrol(
    environment: &mut Environment,
    invite: &Invite,
    url: Option<CollectorUrl>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let claim = environment.state.claim()?;
    let keys = claim.keys(&mut *environment.chance)?;
    let consent = gates(&claim)?.consent.ok_or(Shut::Consent)?;
    if let Some(enrolled) = already(&claim, invite)? {
        writeln!(out, "this home is enrolled at {}", enrolled.url)?;
        return Ok(());
    }
    let url = url.unwrap_or_else(|| CollectorUrl::of_invite(invite));
    let mut uplink = Uplink::connect(url.clone(), invite.collector_key).await?;
    let now = environment.clock.now();
    let lists = Present::of(environment)?.versions();
    let mut pace = environment.pace();
    let rules = uplink.rules((None, &lists), &mut pace).await?;
    tell(&rules, now, err)?;
    take_in(
        &mut uplink,
        &rules,
        (invite, url),
        (&claim, &keys.home, &consent),
        &mut pace,
        out,
    )
    .await
}

/// The enrolment with the collector of the invite, if there is one.
///
/// # Errors
/// [`Failure`] when this home is enrolled elsewhere.
pub(super) fn already(claim: &Claim, invite: &Invite) -> Result<Option<Enrolled>, Failure> {
    match claim.state().enrolled()? {
        Some(enrolled) if enrolled.collector != invite.collector_key => Err(Failure::new(
            Exit::BadConfig,
            format!(
                "this home is enrolled with another collector, at {}; give --state DIR for a second home",
                enrolled.url
            ),
        )),
        enrolled => Ok(enrolled),
    }
}

/// Has the collector take this home in, and keeps its word.
pub(super) async fn take_in(
    uplink: &mut Uplink,
    rules: &Rules,
    (invite, url): (&Invite, CollectorUrl),
    (claim, key, consent): (&Claim, &SigningKey, &Given),
    pace: &mut Pace<'_>,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    if invite.token.is_none() {
        uninvited(rules.manifest().enrolment, &url, out)?;
    }
    let enrolment = Enrolment {
        audience: invite.collector_key.audience(),
        invite_hash: invite.token_hash(),
        consent_hash: consent.hash(),
    };
    let enrolment = SealedBatch::seal(PayloadType::Enrol, encode::enrolment(&enrolment), key);
    let held = uplink
        .enrol(rules, &enrolment, invite.token, pace)
        .await?
        .map_err(|refusal| {
            let sentence = format!(
                "the collector at {url} does not take this home in: {}",
                refusal.sentence()
            );
            Failure::new(Exit::Unavailable, sentence)
        })?;
    claim.set_manifest(rules.sealed())?;
    let (collector, receipt) = (invite.collector_key, held.sealed().clone());
    claim.set_enrolled(&Enrolled {
        url: url.clone(),
        collector,
        receipt,
    })?;
    writeln!(
        out,
        "enrolled at {url}, received {}",
        held.receipt().received_at
    )?;
    Ok(())
}

/// Tells what becomes of a home that brings an invite for everybody, before it asks.
fn uninvited(
    mode: EnrolmentMode,
    url: &CollectorUrl,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    match mode {
        EnrolmentMode::Invite => {
            let sentence = format!(
                "the collector at {url} takes nobody in without an invite of their own: ask its operator for one"
            );
            return Err(Failure::new(Exit::Unavailable, sentence));
        }
        EnrolmentMode::Approval => writeln!(
            out,
            "without an invite of its own this home waits until the collector's operator approves it; what \
             it reports waits here until then, and a collector forgets a home that nobody approves after \
             {PENDING_DAYS} days"
        )?,
        EnrolmentMode::Open => writeln!(
            out,
            "this collector takes every home in; what one without an invite reports of its first \
             {PROBATION_DAYS} days is held and counts in nothing"
        )?,
    }
    Ok(())
}

/// Days after which a home that nobody approved is forgotten.
const PENDING_DAYS: i64 = limits::PENDING_SECONDS / 86_400;

/// Tells what a person should know about the rules before anything is sent by them.
pub(super) fn tell(rules: &Rules, now: Timestamp, err: &mut dyn Write) -> std::io::Result<()> {
    if rules.purpose() == Purpose::Exercise {
        writeln!(
            err,
            "this collector is an exercise: it publishes numbers of synthetic homes"
        )?;
    }
    let ahead_seconds = now.seconds() - rules.time().seconds();
    if ahead_seconds.abs() > limits::SKEW_SECONDS_MAX {
        let which = if ahead_seconds > 0 {
            "ahead of"
        } else {
            "behind"
        };
        writeln!(
            err,
            "this machine's clock is {} seconds {which} the collector's; the collector's is used",
            ahead_seconds.abs()
        )?;
    }
    Ok(())
}
