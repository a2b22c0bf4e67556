//! `replay`: capture files in, signed batches sent, receipts printed.
//!
//! Obeys every gate. The files are read only after the collector's rules are verified, because the
//! rules say whether this is an exercise: only then are a file's days moved, so that its last becomes
//! the last closed day. Each file is one upload, after what waited from before. Batches go through
//! the spool: what is not answered when something fails waits there, and goes with the next replay.
//!
//! A file replayed twice is reported twice: the collector unites what was seen, but volumes add.

use super::endpoints::Present;
use super::enrol::{already, take_in, tell};
use super::reading::{self, Lens, Telling};
use super::rotate::Begun;
use super::world::World;
use super::{Environment, Exit, Failure, gates};
use crate::consent::{MaySend, Shut};
use crate::spool::{Spool, SpoolLimits};
use crate::state::{Claim, Gone, Keys, Ledger, StateError};
use crate::uplink::{CollectorUrl, Rules, Submitted, Uplink};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::Hash;
use phonehome_proto::time::Day;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The capture files, in the order given; each is a world of its own. Without any, only what
    /// waits in the spool is sent.
    pub files: Vec<PathBuf>,
    /// Where the collector is. Whom it must prove to be was settled at enrolment.
    pub collector: CollectorUrl,
    /// To enrol with first, if this home is not enrolled yet.
    pub invite: Option<Invite>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Batches made of the files.
    pub sealed: usize,
    /// Batches the collector holds now, those that waited from before included.
    pub held: usize,
    /// Batches the collector does not take.
    pub refused: usize,
    /// Batches that wait for another time.
    pub waiting: usize,
}

/// Reads the files, sends what may be told of them, prints a line for each receipt.
///
/// The files are read on the calling thread, between the future's waits. A reader that leaves does
/// not stop the sending.
///
/// # Errors
/// [`Failure`]: a shut gate, a collector that cannot be reached or trusted, files of which none can
/// be read; and [`Exit::Finding`] when the collector refused a batch.
pub async fn replay(
    environment: &mut Environment,
    request: &Replay,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<Replayed, Failure> {
    let (out, err) = (&mut Unread(out), &mut Unread(err));
    let claim = environment.state.claim()?;
    let mut keys = claim.keys(&mut *environment.chance)?;
    let mut gates = gates(&claim)?;
    gates.enrolled |= request.invite.is_some();
    let may_send = gates.pass()?;
    let consent = gates.consent.ok_or(Shut::Consent)?;

    let enrolled = match &request.invite {
        Some(invite) => already(&claim, invite)?,
        None => claim.state().enrolled()?,
    };
    let invited = request.invite.as_ref().map(|invite| invite.collector_key);
    let collector = enrolled
        .as_ref()
        .map(|enrolled| enrolled.collector)
        .or(invited);
    let collector = collector.ok_or(Shut::Enrolment)?;
    let manifest_seen = claim.state().manifest()?;
    let serial_seen = manifest_seen.and_then(|manifest| Rules::serial_of(&manifest, &collector));

    let url = request.collector.clone();
    let mut uplink = Uplink::connect(url.clone(), collector).await?;
    let present = Present::of(environment)?;
    let known = (serial_seen, &present.versions()[..]);
    let rules = uplink.rules(known, &mut environment.pace()).await?;
    let present = present.by(rules.manifest());
    claim.set_manifest(rules.sealed())?;
    tell(&rules, environment.clock.now(), err)?;
    if let (None, Some(invite)) = (&enrolled, &request.invite) {
        let home = (&claim, &keys.home, &consent);
        take_in(
            &mut uplink,
            &rules,
            (invite, url),
            home,
            &mut environment.pace(),
            out,
        )
        .await?;
    }

    if let Some(enrolled) = &enrolled
        && let Some(begun) = Begun::of(claim.state(), enrolled)?
    {
        let answer = uplink.rotate(begun.sent(), &mut environment.pace()).await?;
        let _ = Begun::settle(&claim, answer)?;
        keys = claim.keys(&mut *environment.chance)?;
    }

    let list = claim.state().devices()?;
    let allowed = list.allowed().map(|(tag, _)| tag).collect();
    let telling = Telling {
        allowed,
        purpose: rules.purpose(),
        now: rules.time(),
        list: present.list(),
    };
    let lens = Lens {
        secret: &keys.local,
        list: &list,
        seed: environment.seed(),
    };
    let mut post = Post {
        spool: Spool::open(&claim.state().spool_folder(), SpoolLimits::default())?,
        ledger: claim.state().ledger()?,
        claim,
        keys: &keys,
        present: &present,
        uplink,
        permit: (may_send, rules),
    };
    let mut replayed = Replayed::default();
    post.send(environment, &mut replayed, out, err).await?;
    let mut is_anything_read = request.files.is_empty();
    for path in &request.files {
        let Some(world) = lens.read(path, err)? else {
            continue;
        };
        is_anything_read |= world.has_anything();
        replayed.sealed += post.take(environment, &telling, (path, &world), err)?;
        drop(world);
        post.send(environment, &mut replayed, out, err).await?;
    }
    match replayed.refused {
        _ if !is_anything_read => Err(reading::nothing_read()),
        0 => Ok(replayed),
        refused => {
            let of = refused + replayed.held;
            let sentence = format!("batches the collector does not take: {refused}, of {of}");
            Err(Failure::new(Exit::Finding, sentence))
        }
    }
}

/// A home that may send, and the collector it sends to.
struct Post<'a> {
    claim: Claim,
    keys: &'a Keys,
    present: &'a Present,
    spool: Spool,
    ledger: Ledger,
    uplink: Uplink,
    permit: (MaySend, Rules),
}

impl Post<'_> {
    /// Seals what may be told of a file into the spool. Gives how many batches that is.
    fn take(
        &mut self,
        environment: &mut Environment,
        telling: &Telling,
        (path, world): (&Path, &World),
        err: &mut dyn Write,
    ) -> Result<usize, Failure> {
        let capture = path.display();
        for (loss, missed) in reading::losses(world, 0) {
            self.ledger.add(Gone::Missed(loss), missed);
        }
        let (days, told) = telling.days(world, self.ledger.dropped_unreported());
        for sentence in told {
            writeln!(err, "{capture}: {sentence}")?;
        }
        if days.is_empty() {
            writeln!(
                err,
                "{capture}: no allowed phone was seen on a day that is over"
            )?;
        } else {
            self.ledger.dropped_reported();
        }
        let audience = self.permit.1.manifest().audience;
        let sealed = reading::sealed(&days, audience, self.keys, &mut *environment.chance);
        let put = self.spool.put(sealed.iter().map(|(_, sealed)| sealed));
        self.keep_account()?;
        put?;
        Ok(sealed.len())
    }

    /// Sends what waits, and prints a line for each answer.
    async fn send(
        &mut self,
        environment: &mut Environment,
        replayed: &mut Replayed,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> Result<(), Failure> {
        let days = self.days()?;
        let mut submitted = Submitted::default();
        let pace = &mut environment.pace();
        let permit = (&self.permit.0, &self.permit.1);
        let sent = self
            .uplink
            .submit(
                permit,
                &mut self.spool,
                &self.keys.ours,
                pace,
                &mut submitted,
            )
            .await;
        self.ledger.add_submitted(&submitted);
        self.keep_account()?;
        print(&submitted, &days, out, err)?;
        replayed.held += submitted.held.len();
        replayed.refused += submitted.refused.len();
        replayed.waiting = self.spool.waiting().batches;
        if sent.is_err() && replayed.waiting > 0 {
            writeln!(
                err,
                "batches that wait in the spool: {}; the next replay sends them, so do not replay \
                 their files again",
                replayed.waiting
            )?;
        }
        Ok(sent?)
    }

    fn keep_account(&mut self) -> Result<(), StateError> {
        self.ledger.add_spool(&self.spool.take_lost());
        self.claim.set_ledger(&self.ledger)
    }

    /// The days of the batches that wait, by payload.
    fn days(&self) -> Result<BTreeMap<Hash, Day>, Failure> {
        let folder = self.claim.state().spool_folder();
        let waiting = Spool::look(&folder, &self.keys.ours)?;
        let dated = waiting.iter().filter_map(|sealed| {
            let batch = self.present.batch(sealed).ok()?;
            Some((Hash::of(&sealed.payload), batch.header().day))
        });
        Ok(dated.collect())
    }
}

/// Output beside the work: when its reader has gone, the work goes on unread.
struct Unread<'a>(&'a mut (dyn Write + Send));

impl Write for Unread<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

fn print(
    submitted: &Submitted,
    days: &BTreeMap<Hash, Day>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    let day = |hash: &Hash| {
        days.get(hash)
            .map_or_else(|| "?".to_owned(), Day::to_string)
    };
    for held in &submitted.held {
        let receipt = held.receipt();
        writeln!(
            out,
            "receipt  day {}  payload {}  received {}  {}",
            day(&receipt.payload_hash),
            receipt.payload_hash.to_hex(),
            receipt.received_at,
            receipt.purpose.as_str(),
        )?;
    }
    for (hash, refusal) in &submitted.refused {
        let then = if refusal.is_final() {
            "it is deleted"
        } else {
            "it waits in the spool"
        };
        writeln!(
            err,
            "refused: the batch of {}: {}; {then}",
            day(hash),
            refusal.sentence()
        )?;
    }
    Ok(())
}
