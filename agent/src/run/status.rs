//! `status`: where this home stands.
//!
//! Two halves. What the state folder holds is true at any time: key, collector, gates, spool, ledger.
//! What the daemon sees it has written down itself, in the run folder; when no daemon holds the run
//! lock, that is old and is not shown.

mod words;

use super::endpoints::Present;
use super::watch::live::Live;
use super::{Environment, Failure, consent_in_force};
use crate::spool::{Spool, Waiting};
use crate::state::{DaemonPlaces, State};
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
    /// The version of the endpoint list this home goes by.
    endpoint_list: u32,
    /// Whether that is one the household has loaded.
    endpoint_list_loaded: bool,
    /// Why a list that the household has loaded is not used, in a sentence; null when it is, or when none
    /// is loaded.
    endpoint_list_trouble: Option<String>,
    /// What the daemon does; null when none runs.
    daemon: Option<Live>,
    /// Whether the home has left, and its collector does not know yet.
    #[serde(skip)]
    is_leaving: bool,
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
    let places = state.daemon()?;
    let waiting = waiting(state, places.as_ref())?;
    let ledger = state.ledger()?;
    let present = Present::of(environment)?;
    let status = Status {
        key: home.map(|key| to_hex(key.as_bytes())),
        collector: enrolled.as_ref().map(|enrolled| enrolled.url.to_string()),
        enrolled: enrolled.is_some(),
        consent: consent_in_force(state)?.is_some(),
        sending: state.sending()?,
        devices: state.devices()?.allowed().count(),
        spool_batches: waiting.batches,
        spool_bytes: waiting.bytes,
        last_accepted: ledger.last_accepted.map(|time| time.to_string()),
        losses: ledger.losses().clone(),
        endpoint_list: present.list().version(),
        endpoint_list_loaded: present.in_use().is_some(),
        endpoint_list_trouble: present.why_not(),
        daemon: daemon(state, places.as_ref())?,
        is_leaving: state.withdrawal()?.is_some(),
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

/// What waits in either spool: the daemon's, and the one of `replay`.
fn waiting(state: &State, daemon: Option<&DaemonPlaces>) -> Result<Waiting, Failure> {
    let mut sum = Spool::waiting_in(&state.spool_folder())?;
    if let Some(places) = daemon {
        let theirs = Spool::waiting_in(places.spool())?;
        sum.batches += theirs.batches;
        sum.bytes += theirs.bytes;
    }
    Ok(sum)
}

/// What the daemon last wrote down, if it still runs.
fn daemon(state: &State, places: Option<&DaemonPlaces>) -> Result<Option<Live>, Failure> {
    let Some(places) = places else {
        return Ok(None);
    };
    if !state.is_running()? {
        return Ok(None);
    }
    // One that runs and has written nothing yet has just begun.
    Ok(Some(Live::read(&places.live())?.unwrap_or_default()))
}

impl Status {
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        writeln!(out, "key            {}", or_none(&self.key))?;
        writeln!(out, "collector      {}", or_none(&self.collector))?;
        writeln!(out, "enrolled       {}", yes(self.enrolled))?;
        writeln!(out, "consent        {}", yes(self.consent))?;
        if self.is_leaving {
            writeln!(
                out,
                "leaving        you have left, and the collector does not know yet: the daemon tells it \
                 while it runs, or this does: phonehome-agent consent withdraw"
            )?;
        }
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
            let meaning = words::loss(word).map_or_else(String::new, |said| format!(": {said}"));
            writeln!(out, "losses         {word} {count}{meaning}")?;
        }
        let whose = if self.endpoint_list_loaded {
            "loaded by you"
        } else {
            "part of this agent"
        };
        writeln!(out, "endpoint list  {}, {whose}", self.endpoint_list)?;
        if let Some(why) = &self.endpoint_list_trouble {
            writeln!(out, "endpoint list  {why}")?;
        }
        match &self.daemon {
            None => writeln!(out, "daemon         not running"),
            Some(live) => words::write(live, out),
        }
    }
}
