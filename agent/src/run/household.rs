//! What a household decides: consent, devices, sending; and the key it is known by.
//!
//! Every gate is shut at first, and each of these commands opens or shuts exactly one.

use super::table::Table;
use super::{Environment, Exit, Failure, consent_in_force};
use crate::consent::{self, Shut};
use crate::device::DeviceTag;
use crate::spool::{Lost, Spool, SpoolLimits};
use crate::state::{Claim, Decision, DeviceName, TooManyDevices};
use phonehome_proto::id::to_hex;
use phonehome_proto::vendor::Vendor;
use std::io::Write;

/// `consent grant [--yes]`: shows the text; with a yes, records that the household agreed.
///
/// # Errors
/// [`Failure`]; [`Exit::Unavailable`] without a yes, because the gate is still shut.
pub fn consent_grant(
    environment: &mut Environment,
    yes: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if !yes {
        writeln!(out, "{}", consent::TEXT)?;
        let ask = format!(
            "nothing is agreed yet; if you agree, run: {} --yes",
            Shut::Consent.command()
        );
        return Err(Failure::new(Exit::Unavailable, ask));
    }
    let claim = environment.state.claim()?;
    if claim.state().withdrawal()?.is_some() {
        let sentence = "this home is leaving; finish that first: phonehome-agent consent withdraw";
        return Err(Failure::new(Exit::Unavailable, sentence));
    }
    let keys = claim.keys(&mut *environment.chance)?;
    if let Some(given) = consent_in_force(claim.state())? {
        // Giving it again would change its hash, which the enrolment names.
        writeln!(
            out,
            "consent was given at {} and is in force",
            given.consent().given_at
        )?;
        return Ok(());
    }
    let record = consent::grant(environment.clock.now(), &keys.home);
    claim.set_consent(&record)?;
    writeln!(
        out,
        "consent given to the text with SHA-256 {}",
        consent::text_hash().to_hex()
    )?;
    Ok(())
}

/// `consent show`: the text, and whether it was agreed to.
///
/// # Errors
/// [`Failure`].
pub fn consent_show(environment: &Environment, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{}", consent::TEXT)?;
    match consent_in_force(&environment.state)? {
        Some(given) => {
            let consent = given.consent();
            writeln!(
                out,
                "given at {}, scope {}",
                consent.given_at,
                consent.scope.as_str()
            )?;
        }
        None => writeln!(
            out,
            "not given; this gives it: {} --yes",
            Shut::Consent.command()
        )?,
    }
    Ok(())
}

/// `device list`: the household's decisions.
///
/// # Errors
/// [`Failure`].
pub fn device_list(
    environment: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let list = environment.state.devices()?;
    let mut table = Table::new(["device", "observed", "name", "vendor"]);
    for (tag, decision) in list.iter() {
        let (observed, name, vendor) = match decision {
            Decision::Allowed { name, vendor } => ("yes", name.as_str(), *vendor),
            Decision::Denied => ("no", "", None),
        };
        table.row([
            &tag.to_string(),
            observed,
            name,
            vendor.map_or("", Vendor::id),
        ]);
    }
    table.write(out)?;
    if list.allowed().next().is_none() {
        writeln!(
            err,
            "no device is observed; \"phonehome-agent devices FILE\" shows those in a capture, and \
             this allows one: {}",
            Shut::Devices.command()
        )?;
    }
    Ok(())
}

/// `device allow TAG --name N [--vendor V]`: the device is observed from now on.
///
/// # Errors
/// [`Failure`].
pub fn device_allow(
    environment: &mut Environment,
    tag: DeviceTag,
    name: DeviceName,
    vendor: Option<Vendor>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let said = match vendor {
        Some(vendor) => format!(
            "device {tag} is allowed, declared to be a phone of {}",
            vendor.name()
        ),
        None => format!("device {tag} is allowed"),
    };
    decide(environment, tag, Decision::Allowed { name, vendor })?;
    writeln!(out, "{said}")?;
    Ok(())
}

/// `device deny TAG`: the device is not observed, and what waits to be sent and may tell of it stays at
/// home: what waits for `replay` goes here, what the daemon has goes by itself, before it sends anything.
///
/// # Errors
/// [`Failure`].
pub fn device_deny(
    environment: &mut Environment,
    tag: DeviceTag,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let claim = environment.state.claim()?;
    let was_allowed = matches!(
        claim.state().devices()?.get(tag),
        Some(Decision::Allowed { .. })
    );
    decide_with(&claim, tag, Decision::Denied)?;
    if !was_allowed {
        writeln!(out, "device {tag} is denied")?;
        return Ok(());
    }
    let_go_spool(&claim)?;
    writeln!(
        out,
        "device {tag} is denied; days that were not sent yet and may tell of it stay at home"
    )?;
    Ok(())
}

/// Lets go what waits for `replay`: a sealed batch does not say which devices it tells of.
fn let_go_spool(claim: &Claim) -> Result<(), Failure> {
    let folder = claim.state().spool_folder();
    if Spool::waiting_in(&folder)?.batches == 0 {
        return Ok(());
    }
    let mut spool = Spool::open(&folder, SpoolLimits::default())?;
    for slot in spool.slots() {
        spool.let_go(slot, Lost::Denied)?;
    }
    let mut ledger = claim.state().ledger()?;
    ledger.add_spool(&spool.take_lost());
    Ok(claim.set_ledger(&ledger)?)
}

/// `send on`, `send off`.
///
/// # Errors
/// [`Failure`].
pub fn send(environment: &mut Environment, on: bool, out: &mut dyn Write) -> Result<(), Failure> {
    environment.state.claim()?.set_sending(on)?;
    writeln!(out, "sending is {}", if on { "on" } else { "off" })?;
    Ok(())
}

/// `key show`: the public half of the home's key, 64 hexadecimal digits.
///
/// # Errors
/// [`Failure`].
pub fn key_show(environment: &mut Environment, out: &mut dyn Write) -> Result<(), Failure> {
    let keys = environment.state.keys(&mut *environment.chance)?;
    writeln!(out, "{}", to_hex(keys.ours.current().as_bytes()))?;
    Ok(())
}

fn decide(
    environment: &mut Environment,
    tag: DeviceTag,
    decision: Decision,
) -> Result<(), Failure> {
    decide_with(&environment.state.claim()?, tag, decision)
}

fn decide_with(claim: &Claim, tag: DeviceTag, decision: Decision) -> Result<(), Failure> {
    let mut list = claim.state().devices()?;
    list.set(tag, decision)
        .map_err(|full: TooManyDevices| Failure::new(Exit::Unavailable, full.to_string()))?;
    claim.set_devices(&list)?;
    Ok(())
}
