//! Several collectors, one week: who folds what of it, and what becomes of the pieces.
//!
//! A closed week is cut into [`PARTS`] slices of its home tokens. Whoever is free takes a part, for
//! [`LEASE_SECONDS`] at a time; what it adds up to is sealed under the week's key and left in the store.
//! Three passes: everybody is heard; then, with places that need them all, everybody is counted; then
//! one collector adds the counters and releases the week. A collector that dies loses what it was at,
//! and its part is somebody else's when its time runs out. Leases save work and decide nothing:
//! - **The same bytes.** A part of the journal adds up to the same bytes whoever reads it and however
//!   often, of several the store keeps the first, and addition knows no order.
//! - **As the week stood.** Every part is of one number of erasures. A home that leaves raises that
//!   number, and takes with it, in the same transaction, all that was found so far; what is still under
//!   way then finds no place. The release is stored only if the number is still that of its parts, so no
//!   part read before a home left and no part read after can meet in it.
//! - **By the same tables.** A part opens only for a collector with the very tables and the method it
//!   was made with. One that finds another's, or one that was altered, folds the whole week by itself.

use super::closing::{Closing, GoOn, shed};
use super::{Weeks, WeeksError, slices};
use crate::count::Counters;
use crate::enrich::{Places, Survey};
use crate::geo::network::operator::Operator;
use crate::metrics::Counter;
use crate::packing::{Packed, unpack_all};
use crate::release::Release;
use crate::release::gate::{GateRules, METHOD};
use crate::store::{Fold, Lease, PART_BYTES_MAX, Slice, StoreError, Taken, WeekRow};
use phonehome_proto::id::Hash;
use phonehome_proto::time::{Clock, Timestamp};
use std::cell::Cell;
use tokio::runtime::Handle;

/// Parts of a week: enough for as many collectors to work on one, and few enough that what they leave
/// behind is soon added.
pub const PARTS: u16 = 32;

/// So long the others leave a part to the one that took it; while it works it asks for more.
pub const LEASE_SECONDS: i64 = 300;

/// A pass over the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// Round trips are heard, part by part.
    Hear,
    /// Homes are counted, part by part.
    Count,
    /// Counters are added, by one collector.
    Add,
}

/// What a collector that works on a week has in its hands.
pub struct Shift<'a> {
    /// Reads it.
    pub closing: Closing<'a>,
    /// As it stood when it was looked at.
    pub row: WeekRow,
    /// Says how long a part was worked on.
    pub clock: &'a dyn Clock,
    /// Who works: this collector, in this life.
    pub holder: [u8; 16],
    made_with: Hash,
}

/// What of a week is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// All of it.
    All(T),
    /// Other collectors are still at it.
    Elsewhere,
    /// A home was erased from it since, or it is released: look again.
    Outdated,
    /// Some of it was not made as it is made here.
    Foreign,
}

/// What became of a week that several collectors see.
pub(super) enum Shared {
    /// Folded here.
    Folded(Box<Release>),
    /// Other collectors are at it.
    Elsewhere,
    /// A home was erased from it since: look again.
    Outdated,
}

impl Weeks {
    /// Works on a closed week, together with whoever else does, until it is folded or what is left of
    /// it is others'.
    pub(super) async fn fold_together(&self, row: WeekRow) -> Result<Shared, WeeksError> {
        let key = self.key(row)?;
        let (weeks, runtime, atlas) = (self.clone(), Handle::current(), self.atlas.now());
        // Hours of arithmetic in a large week: off the threads that answer homes.
        let folded = tokio::task::spawn_blocking(move || {
            let closing = weeks.closing(&key, &atlas, &runtime);
            let shift = Shift::new(closing, row, &*weeks.clock, weeks.holder);
            Ok::<_, StoreError>(match shift.work(slices())? {
                Found::All(counters) => Found::All(weeks.gate(row.week, &counters, &atlas)),
                Found::Elsewhere => Found::Elsewhere,
                Found::Outdated => Found::Outdated,
                Found::Foreign => Found::Foreign,
            })
        });
        Ok(match folded.await.expect("folding does not panic")? {
            Found::All(release) => Shared::Folded(Box::new(release)),
            Found::Elsewhere => Shared::Elsewhere,
            Found::Outdated => Shared::Outdated,
            Found::Foreign => {
                tracing::warn!(week = %row.week, "parts of it were made by other tables: folded alone");
                Shared::Folded(Box::new(self.fold(row.week, slices()).await?))
            }
        })
    }
}

// === impl Shift ===

impl<'a> Shift<'a> {
    /// A shift of `holder` on the week as it stands in `row`.
    #[must_use]
    pub fn new(closing: Closing<'a>, row: WeekRow, clock: &'a dyn Clock, holder: [u8; 16]) -> Self {
        let made_with = made_with(&closing);
        Self {
            closing,
            row,
            clock,
            holder,
            made_with,
        }
    }

    /// Everything there is to do, by so many threads. Blocks: call it where that is allowed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn work(&self, threads: u16) -> Result<Found<Counters>, StoreError> {
        let heard = self.work_on(Pass::Hear, threads, &(), |(), part, go_on| {
            self.hear(part, go_on)
        })?;
        if heard != Found::All(()) {
            return Ok(heard.but());
        }
        let places = match self.places()? {
            Found::All(places) => places,
            other => return Ok(other.but()),
        };
        let counted = self.work_on(Pass::Count, threads, &places, |places, part, go_on| {
            self.count(part, places, go_on)
        })?;
        if counted != Found::All(()) {
            return Ok(counted.but());
        }
        drop(places);
        match self.take(Pass::Add, 0)? {
            Taken::Part(_) => self.counters(),
            // It is not kept: only the release says that it was done.
            Taken::Busy | Taken::Done => Ok(Found::Elsewhere),
            Taken::Outdated => Ok(Found::Outdated),
        }
    }

    /// Asks for a part, for one of this collector's threads.
    ///
    /// # Errors
    /// When the store fails.
    pub fn take(&self, pass: Pass, thread: u16) -> Result<Taken, StoreError> {
        let store = self.closing.store;
        let (lease, now) = (self.lease(thread), self.clock.now());
        let taken = store.take_part(self.fold(pass), pass.parts(), lease, now);
        self.closing.runtime.block_on(taken)
    }

    /// What the homes of a part have heard, sealed; `None` if it was not to go on to the end.
    ///
    /// # Errors
    /// When the store fails.
    pub fn hear(&self, part: u16, go_on: GoOn<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        let survey = self.closing.hear(slice(part), go_on)?;
        Ok(survey.map(|survey| self.seal(Pass::Hear, part, &survey.packed())))
    }

    /// Where everything stands, once everybody was heard.
    ///
    /// # Errors
    /// When the store fails.
    pub fn places(&self) -> Result<Found<Places<'a>>, StoreError> {
        let atlas = self.closing.atlas;
        let start = Survey::new(atlas);
        let heard = self.all(Pass::Hear, start, |heard, plain| {
            heard.add(Survey::unpacked(atlas, plain)?);
            Some(())
        })?;
        Ok(match heard {
            Found::All(heard) => Found::All(self.closing.settle(heard)),
            other => other.but(),
        })
    }

    /// What the homes of a part count, sealed; `None` if it was not to go on to the end.
    ///
    /// # Errors
    /// When the store fails.
    pub fn count(
        &self,
        part: u16,
        places: &mut Places<'a>,
        go_on: GoOn<'_>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let counters = self.closing.count(slice(part), places, go_on)?;
        Ok(counters.map(|counters| {
            let mut plain = Vec::new();
            counters.pack(&mut plain);
            self.seal(Pass::Count, part, &plain)
        }))
    }

    /// Leaves what was found in a part to whoever adds.
    ///
    /// # Errors
    /// When the store fails.
    pub fn keep(&self, pass: Pass, part: u16, sealed: Vec<u8>) -> Result<(), StoreError> {
        let store = self.closing.store;
        let kept = store.keep_part(self.fold(pass), part, sealed);
        self.closing.runtime.block_on(kept)
    }

    /// The counters of all parts together.
    ///
    /// # Errors
    /// When the store fails.
    pub fn counters(&self) -> Result<Found<Counters>, StoreError> {
        let counted = self.all(Pass::Count, Counters::default(), |all, plain| {
            all.add(unpack_all(plain)?);
            Some(())
        })?;
        if let Found::All(all) = &counted {
            let metrics = self.closing.metrics;
            metrics.add(Counter::ContactsShed, shed(all.shed_contacts()));
        }
        Ok(counted)
    }

    /// Works on one part after the other, on several threads, each with a clone of `start`, until there
    /// are none.
    fn work_on<S: Clone + Send + Sync>(
        &self,
        pass: Pass,
        threads: u16,
        start: &S,
        work: impl Fn(&mut S, u16, GoOn<'_>) -> Result<Option<Vec<u8>>, StoreError> + Sync,
    ) -> Result<Found<()>, StoreError> {
        let work = &work;
        let one = |thread| {
            let mut state = start.clone();
            loop {
                let part = match self.take(pass, thread)? {
                    Taken::Part(part) => part,
                    other => return Ok(other),
                };
                let renew_at = Cell::new(self.renew_at());
                let mut go_on = || {
                    if self.clock.now() < renew_at.get() {
                        return Ok(true);
                    }
                    renew_at.set(self.renew_at());
                    self.hold(pass, part, thread)
                };
                if let Some(sealed) = work(&mut state, part, &mut go_on)? {
                    self.keep(pass, part, sealed)?;
                }
            }
        };
        let ends: Vec<Taken> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads.max(1))
                .map(|thread| scope.spawn(move || one(thread)))
                .collect();
            let ends = threads.into_iter();
            let ends = ends.map(|thread| thread.join().expect("folding does not panic"));
            ends.collect::<Result<_, StoreError>>()
        })?;
        // One that found others busy may have waited for its neighbour, which then found all done.
        Ok(if ends.contains(&Taken::Outdated) {
            Found::Outdated
        } else if ends.contains(&Taken::Done) {
            Found::All(())
        } else {
            Found::Elsewhere
        })
    }

    /// Everything that was found in a pass: one part after the other is opened and added to `all`.
    fn all<T>(
        &self,
        pass: Pass,
        mut all: T,
        add: impl Fn(&mut T, &[u8]) -> Option<()>,
    ) -> Result<Found<T>, StoreError> {
        let fold = self.fold(pass);
        for part in 0..pass.parts() {
            let sealed = self.closing.store.part(fold, part);
            let Some(sealed) = self.closing.runtime.block_on(sealed)? else {
                return Ok(Found::Outdated);
            };
            let context = self.context(pass, part);
            let plain = self.closing.key.open_part(&context, &sealed);
            if plain.and_then(|plain| add(&mut all, &plain)).is_none() {
                return Ok(Found::Foreign);
            }
        }
        Ok(Found::All(all))
    }

    fn seal(&self, pass: Pass, part: u16, plain: &[u8]) -> Vec<u8> {
        let sealed = self.closing.key.seal_part(&self.context(pass, part), plain);
        // Beyond the bound nothing is left, which opens for nobody: then the week is folded in one piece.
        if sealed.len() > PART_BYTES_MAX {
            return Vec::new();
        }
        sealed
    }

    /// What a part is of, and what it was made with: fields of fixed length.
    fn context(&self, pass: Pass, part: u16) -> Vec<u8> {
        let fold = self.fold(pass);
        let mut bytes = fold.week.monday().number().to_be_bytes().to_vec();
        bytes.extend_from_slice(&fold.erasures.to_be_bytes());
        bytes.push(fold.pass);
        bytes.extend_from_slice(&part.to_be_bytes());
        bytes.extend_from_slice(self.made_with.as_bytes());
        bytes
    }

    const fn fold(&self, pass: Pass) -> Fold {
        Fold {
            week: self.row.week,
            erasures: self.row.erasures,
            pass: pass as u8,
        }
    }

    /// Keeps a part for longer; whether it is still this thread's.
    fn hold(&self, pass: Pass, part: u16, thread: u16) -> Result<bool, StoreError> {
        let store = self.closing.store;
        let held = store.hold_part(self.fold(pass), part, self.lease(thread));
        self.closing.runtime.block_on(held)
    }

    /// From now on. Each thread is somebody of its own, or two would be given the same part.
    fn lease(&self, thread: u16) -> Lease {
        let mut holder = self.holder;
        for (byte, bits) in holder.iter_mut().zip(thread.to_be_bytes()) {
            *byte ^= bits;
        }
        Lease {
            holder,
            until: self.clock.now().plus_seconds(LEASE_SECONDS),
        }
    }

    fn renew_at(&self) -> Timestamp {
        self.clock.now().plus_seconds(LEASE_SECONDS / 3)
    }
}

// === impl Pass ===

impl Pass {
    /// Into how many parts it falls.
    #[must_use]
    pub const fn parts(self) -> u16 {
        match self {
            Self::Hear | Self::Count => PARTS,
            Self::Add => 1,
        }
    }
}

// === impl Found ===

impl<T> Found<T> {
    /// What is not there of one thing is not there of another.
    fn but<U>(self) -> Found<U> {
        match self {
            Self::All(_) => unreachable!("what is there was taken"),
            Self::Elsewhere => Found::Elsewhere,
            Self::Outdated => Found::Outdated,
            Self::Foreign => Found::Foreign,
        }
    }
}

/// The homes of a part.
fn slice(part: u16) -> Slice {
    Slice::all(PARTS)[usize::from(part)]
}

/// Everything but the journal that decides what a part adds up to and how it is written: only equals add
/// each other's parts.
fn made_with(closing: &Closing<'_>) -> Hash {
    let mut text = format!(
        "{} {METHOD} {PARTS} {:?}",
        env!("CARGO_PKG_VERSION"),
        GateRules::default()
    );
    for source in closing.atlas.sources() {
        text += &format!("\n{source:?}");
    }
    // Written by their place in this table.
    for operator in Operator::all() {
        text += &format!("\n{operator}");
    }
    Hash::of(text.as_bytes())
}
