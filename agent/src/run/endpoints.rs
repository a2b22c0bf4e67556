//! `endpoints`: the list of what may be told of, and lists that the household loads.
//!
//! A list is loaded when three agree: the project signed it, it breaks no rule, and the household has
//! seen what it changes and said yes. Nothing is loaded by itself, and nothing a collector says loads or
//! signs one. It widens which endpoints are told of, and nothing else.

mod present;

pub(super) use present::Present;

use super::table::Table;
use super::{Environment, Exit, Failure};
use crate::durable;
use crate::endpoints::{Later, NotOpened};
use crate::spool::{Spool, SpoolLimits};
use crate::state::Claim;
use phonehome_proto::decode;
use phonehome_proto::endpoint::{Difference, EndpointId, EndpointList};
use phonehome_proto::id::to_hex;
use phonehome_proto::limits;
use phonehome_proto::seal::SealedBatch;
use std::io::{BufRead, Read, Write};
use std::path::Path;

/// Bytes of the largest file that is read.
const FILE_BYTES_MAX: usize = limits::ENDPOINT_LIST_BYTES_MAX + limits::ENVELOPE_BYTES_MAX;

/// Whether the household wants a list.
pub enum Answer<'a> {
    /// It said so on the command line.
    Yes,
    /// Somebody sits there and can be asked.
    Ask(&'a mut (dyn BufRead + Send)),
    /// Nobody can be asked.
    Nobody,
}

/// `endpoints show`: the list this home goes by, row by row.
///
/// # Errors
/// [`Failure`].
pub fn show(
    environment: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let present = Present::of(environment)?;
    let list = present.list();
    let rows = list.all().len();
    match present.in_use() {
        Some(later) => writeln!(
            out,
            "endpoint list version {}, {rows} endpoints, made on {}, loaded by you, signed with {}",
            list.version(),
            later.made,
            to_hex(later.key.as_bytes())
        )?,
        None => writeln!(
            out,
            "endpoint list version {}, {rows} endpoints, part of this agent",
            list.version()
        )?,
    }
    if let Some(why) = present.why_not() {
        writeln!(err, "{why}")?;
    }
    let mut table = Table::new(["id", "endpoint", "owner", "class", "edge"]);
    for endpoint in list.all() {
        table.row([
            &endpoint.number().to_string(),
            endpoint.pattern(),
            endpoint.owner().id(),
            endpoint.class().as_str(),
            endpoint.edge().unwrap_or_default(),
        ]);
    }
    Ok(table.write(out)?)
}

/// `endpoints load FILE [--yes]`: verifies a list, shows what it changes, and, with a yes, goes by it.
///
/// # Errors
/// [`Failure`]: [`Exit::BadInput`] for a file that holds no list to go by, [`Exit::Unavailable`]
/// without a yes.
pub fn load(
    environment: &Environment,
    path: &Path,
    answer: Answer<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let sealed = read(path)?;
    let later = environment.shelf.open(&sealed);
    let later = later.map_err(|why| refused(path, &why))?;
    let present = Present::of(environment)?;
    let before = present.list();
    if later.list == before {
        let version = later.list.version();
        writeln!(out, "endpoint list version {version} is in use already")?;
        return Ok(());
    }
    present
        .admits(&later)
        .map_err(|why| refused(path, &why.into()))?;

    tell(&later, before, out)?;
    let is_wanted = match answer {
        Answer::Yes => true,
        Answer::Ask(input) => is_yes(input, out)?,
        Answer::Nobody => false,
    };
    if !is_wanted {
        let sentence = format!(
            "the list is not loaded, because nobody said yes to it; this does: \
             phonehome-agent endpoints load {} --yes",
            path.display()
        );
        return Err(Failure::new(Exit::Unavailable, sentence));
    }
    let claim = environment.state.claim()?;
    claim.set_endpoints(&sealed)?;
    let gone = let_go(&claim, environment)?;
    let version = later.list.version();
    writeln!(out, "endpoint list version {version} is loaded")?;
    tell_gone(gone, out)?;
    if let Some(why) = Present::of(environment)?.why_not() {
        writeln!(out, "{why}; it will be, once it is counted")?;
    }
    Ok(())
}

/// `endpoints forget`: goes by the compiled-in list again.
///
/// # Errors
/// [`Failure`].
pub fn forget(environment: &Environment, out: &mut dyn Write) -> Result<(), Failure> {
    let claim = environment.state.claim()?;
    let had_one = claim.state().has_endpoints();
    claim.forget_endpoints()?;
    let gone = let_go(&claim, environment)?;
    let version = EndpointList::compiled_in().version();
    let what = if had_one {
        "the loaded list is forgotten; "
    } else {
        "no list is loaded; "
    };
    writeln!(
        out,
        "{what}this home goes by the list that is part of this agent, version {version}"
    )?;
    Ok(tell_gone(gone, out)?)
}

/// Lets go what waits for `replay` and tells of what is on the list no more; what the daemon has goes by
/// itself, before it sends anything.
fn let_go(claim: &Claim, environment: &Environment) -> Result<usize, Failure> {
    let (state, present) = (claim.state(), Present::of(environment)?);
    let folder = state.spool_folder();
    let waiting = Spool::waiting_in(&folder)?.batches;
    let ours = state.our_keys()?.filter(|_| waiting > 0);
    let Some(ours) = ours.filter(|_| present.had_another()) else {
        return Ok(0);
    };
    let mut spool = Spool::open(&folder, SpoolLimits::default())?;
    let gone = present.let_go(&mut spool, &ours)?;
    let mut ledger = state.ledger()?;
    ledger.add_spool(&spool.take_lost());
    claim.set_ledger(&ledger)?;
    Ok(gone)
}

fn tell_gone(gone: usize, out: &mut dyn Write) -> std::io::Result<()> {
    match gone {
        0 => Ok(()),
        _ => writeln!(
            out,
            "batches that waited and tell of what is on the list no more stay at home: {gone}"
        ),
    }
}

fn read(path: &Path) -> Result<SealedBatch, Failure> {
    let bad = |why: String| {
        let sentence = format!("{} cannot be read: {why}", path.display());
        Failure::new(Exit::BadInput, sentence)
    };
    let bytes =
        durable::read(path, FILE_BYTES_MAX as u64).map_err(|error| bad(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| bad("there is no such file".to_owned()))?;
    decode::envelope(&bytes).map_err(|_| bad("it is no sealed endpoint list".to_owned()))
}

fn refused(path: &Path, why: &NotOpened) -> Failure {
    let exit = match why {
        NotOpened::NoKeys | NotOpened::Full => Exit::Unavailable,
        NotOpened::OtherType
        | NotOpened::NotAReleaseKey
        | NotOpened::BadSignature
        | NotOpened::Refused(_)
        | NotOpened::Contradicts(_) => Exit::BadInput,
    };
    Failure::new(exit, format!("{} is not loaded: {why}", path.display()))
}

/// What a list changes, in words.
fn tell(later: &Later, before: &EndpointList, out: &mut dyn Write) -> std::io::Result<()> {
    let (list, made) = (later.list, later.made);
    let difference = list.difference(before);
    writeln!(
        out,
        "endpoint list version {} of {made}, signed with {}",
        list.version(),
        to_hex(later.key.as_bytes())
    )?;
    let Difference {
        added,
        removed,
        changed,
    } = &difference;
    writeln!(
        out,
        "against version {}: {} added, {} removed, {} changed",
        before.version(),
        added.len(),
        removed.len(),
        changed.len()
    )?;
    let mut table = Table::new(["", "endpoint", "owner", "class", "edge"]);
    let mut row = |what, endpoint: &EndpointId| {
        table.row([
            what,
            endpoint.pattern(),
            endpoint.owner().id(),
            endpoint.class().as_str(),
            endpoint.edge().unwrap_or_default(),
        ]);
    };
    added.iter().for_each(|endpoint| row("added", endpoint));
    removed.iter().for_each(|endpoint| row("removed", endpoint));
    for (was, now) in changed {
        row("was", was);
        row("is now", now);
    }
    table.write(out)?;
    writeln!(
        out,
        "Contacts of your phones with what is added would be told of, as with the rest of the list; what is \
         removed would be told of no more."
    )
}

/// Whether the answer is a yes; everything else is a no, and so is the end of the input.
fn is_yes(input: &mut (dyn BufRead + Send), out: &mut dyn Write) -> Result<bool, Failure> {
    const ANSWER_BYTES_MAX: u64 = 64;
    write!(out, "Load it? [y/N] ")?;
    out.flush()?;
    let mut line = Vec::new();
    let read = Read::take(input, ANSWER_BYTES_MAX).read_until(b'\n', &mut line);
    read.map_err(|error| {
        let sentence = format!("the answer cannot be read: {error}");
        Failure::new(Exit::BadInput, sentence)
    })?;
    let answer = String::from_utf8_lossy(&line).trim().to_ascii_lowercase();
    Ok(answer == "y" || answer == "yes")
}
