//! `status`: where this home stands.

use super::{Environment, Failure, consent_in_force};
use crate::spool::Spool;
use phonehome_proto::id::to_hex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document, for programs.
    Json,
}

/// The names of the fields and their order are a contract.
#[derive(Serialize)]
struct Status {
    /// The home's public key, 64 hexadecimal digits; null before there is one.
    key: Option<String>,
    /// Where its collector is; null before enrolment.
    collector: Option<String>,
    enrolled: bool,
    consent: bool,
    sending: bool,
    /// How many devices are allowed.
    devices: usize,
    spool_batches: usize,
    spool_bytes: u64,
    /// When the collector last took a batch, RFC 3339; null before the first.
    last_accepted: Option<String>,
    /// Every loss that occurred since the state folder was made.
    losses: BTreeMap<String, u64>,
}

/// Writes where this home stands. Changes nothing and waits for nobody.
///
/// # Errors
/// [`Failure`].
pub fn status(
    environment: &Environment,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let state = &environment.state;
    let home = state.home_key()?.map(|key| key.public());
    let enrolled = state.enrolled()?;
    let waiting = Spool::waiting_in(&state.spool_folder())?;
    let ledger = state.ledger()?;
    let status = Status {
        key: home.map(|key| to_hex(key.as_bytes())),
        collector: enrolled.as_ref().map(|enrolled| enrolled.url.to_string()),
        enrolled: enrolled.is_some(),
        consent: consent_in_force(state, home)?.is_some(),
        sending: state.sending()?,
        devices: state.devices()?.allowed().count(),
        spool_batches: waiting.batches,
        spool_bytes: waiting.bytes,
        last_accepted: ledger.last_accepted.map(|time| time.to_string()),
        losses: ledger.losses().clone(),
    };
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, &status).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        Format::Table => status.write(out)?,
    }
    Ok(())
}

impl Status {
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        writeln!(out, "key            {}", or_none(&self.key))?;
        writeln!(out, "collector      {}", or_none(&self.collector))?;
        writeln!(out, "enrolled       {}", yes(self.enrolled))?;
        writeln!(out, "consent        {}", yes(self.consent))?;
        writeln!(
            out,
            "sending        {}",
            if self.sending { "on" } else { "off" }
        )?;
        writeln!(out, "devices        {} allowed", self.devices)?;
        writeln!(
            out,
            "spool          {} batches, {} bytes",
            self.spool_batches, self.spool_bytes
        )?;
        writeln!(out, "last accepted  {}", or_none(&self.last_accepted))?;
        if self.losses.is_empty() {
            writeln!(out, "losses         none")?;
        }
        for (word, count) in &self.losses {
            writeln!(out, "losses         {word} {count}")?;
        }
        Ok(())
    }
}
