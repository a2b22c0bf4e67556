//! A week that several fold while homes leave it: whatever the order, the sum is that of the homes that
//! are left, counted in one piece by somebody who knows no parts.

use super::engine::Engine;
use super::{now, take_in, week};
use phonehome_collector::count::Counters;
use phonehome_collector::enrich::Survey;
use phonehome_collector::fold::HomeWeek;
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::geo::network::{Asn, Origin};
use phonehome_collector::journal::week_key::WeekKey;
use phonehome_collector::metrics::Metrics;
use phonehome_collector::release::gate::GateRules;
use phonehome_collector::store::{
    Appended, Attempt, EraseAttempt, Erased, ReleaseRow, Store, Stored, Taken, WeekRow,
};
use phonehome_collector::weeks::closing::Closing;
use phonehome_collector::weeks::sharing::{Found, LEASE_SECONDS, Pass, Shift};
use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::encode;
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};
use phonehome_proto::id::{Audience, BatchId, Hash, HomeId};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::scale::{Magnitude, RTT_STEPS_MS, RttStep};
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::time::{Clock, Day, ManualClock};
use phonehome_proto::vendor::Vendor;
use phonehome_tests::simulation::dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use tokio::runtime::Handle;

on_every_engine![
    whoever_folds_and_whoever_leaves_the_rest_is_counted_once,
    any_number_of_threads_adds_up_to_the_same,
];

/// Homes of a week.
const HOMES: u8 = 40;
/// Days each of them reports.
const DAYS: usize = 5;
/// Observations of a day.
const OBSERVATIONS: usize = 4;
/// Collectors that share it.
const COLLECTORS: usize = 3;
/// Homes that leave while it is folded, at most.
const LEAVING_MAX: usize = 3;
/// Weeks that are played.
const SEEDS: u64 = 6;
/// Steps after which nobody believes any more that it ends.
const STEPS_MAX: usize = 20_000;

static ATLAS: LazyLock<Atlas> = LazyLock::new(Atlas::embedded);

/// A closed week of homes.
struct Town {
    store: Store,
    key: WeekKey,
    /// By number; those that left are not in it.
    homes: BTreeMap<u8, Vec<(Batch, Option<Origin>)>>,
    metrics: Metrics,
    runtime: Handle,
}

/// A collector that looked at the week at some time, and how far it has come.
#[derive(Clone, Copy)]
struct Worker {
    row: WeekRow,
    pass: Pass,
    holder: [u8; 16],
}

async fn whoever_folds_and_whoever_leaves_the_rest_is_counted_once(engine: Engine) {
    for seed in 0..SEEDS {
        let (store, _home) = engine.fresh().await;
        let town = Town::of(store, seed).await;
        let played = tokio::task::spawn_blocking(move || town.play(seed));
        played.await.expect("ends well");
    }
}

async fn any_number_of_threads_adds_up_to_the_same(engine: Engine) {
    for threads in [1, 2, 5] {
        let (store, _home) = engine.fresh().await;
        let town = Town::of(store, 77).await;
        let worked = tokio::task::spawn_blocking(move || {
            let clock = ManualClock::new(now());
            let shift = Shift::new(town.closing(), town.row(), &clock, [1; 16]);
            (shift.work(threads).expect("works"), town.oracle())
        });
        let (found, oracle) = worked.await.expect("ends well");
        assert_eq!(found, Found::All(oracle), "{threads} threads");
    }
}

impl Town {
    async fn of(store: Store, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let key = WeekKey::new(week(), [7; 32].into());
        let opened = store.open_week(week(), key.check()).await;
        opened.expect("opens");
        let mut homes = BTreeMap::new();
        for home in 1..=HOMES {
            take_in(&store, home).await;
            let origin = origin(&mut dice);
            let batches: Vec<_> = (0u8..)
                .zip(week().days().take(DAYS))
                .map(|(number, day)| (batch(&mut dice, home, number, day), origin))
                .collect();
            let attempts = batches.iter().map(|(batch, origin)| Attempt::Append {
                row: seal(&key, batch, *origin),
                key_hash: Hash::of(&[home; 32]),
            });
            let appended = store.append(attempts.collect()).await.expect("appends");
            assert_eq!(appended, [const { Appended::Fresh }; DAYS]);
            homes.insert(home, batches);
        }
        store.close_week(week(), now()).await.expect("closes");
        Self {
            store,
            key,
            homes,
            metrics: Metrics::new(),
            runtime: Handle::current(),
        }
    }

    /// What the homes that are left count, in one piece.
    fn oracle(&self) -> Counters {
        let homes = self.homes.values().map(|batches| {
            let batches = batches.iter().map(|(batch, origin)| (batch, *origin));
            HomeWeek::of(week(), batches).expect("it reported")
        });
        let homes: Vec<HomeWeek> = homes.collect();
        let mut survey = Survey::new(&ATLAS);
        homes.iter().for_each(|home| survey.hear(home));
        let mut places = survey.settle(GateRules::default().quorum());
        let mut counters = Counters::default();
        homes
            .iter()
            .for_each(|home| counters.count(home, &mut places));
        counters
    }

    /// Collectors take turns as the dice fall, die, are slow, hold on to what they knew; homes leave; in the
    /// end there is one release.
    fn play(mut self, seed: u64) {
        let mut dice = Dice::new(!seed);
        let clock = ManualClock::new(now());
        let mut late = Vec::new();
        let mut workers = [0; COLLECTORS].map(|_| self.begin(&mut dice));
        let mut left = 0;
        for _ in 0..STEPS_MAX {
            let fate = dice.below(1_000);
            if fate < 4 && left < LEAVING_MAX {
                left += 1;
                self.leave(&mut dice);
            }
            if fate < 200 {
                clock.set(clock.now().plus_seconds(LEASE_SECONDS / 10));
            }
            if fate >= 900
                && let Some((worker, part, sealed)) = late.pop()
            {
                // It was not dead, only slow.
                let worker: Worker = worker;
                self.shift(&worker, &clock)
                    .keep(worker.pass, part, sealed)
                    .expect("passes over, or is first");
            }
            let at = dice.below(COLLECTORS);
            match self.step(&mut workers[at], &clock) {
                Step::Made(part, sealed) => match dice.below(20) {
                    // Killed: another life of the same machine, which looks at the week anew.
                    0 => workers[at] = self.begin(&mut dice),
                    1 => late.push((workers[at], part, sealed)),
                    _ => {
                        let worker = workers[at];
                        let kept = self.shift(&worker, &clock).keep(worker.pass, part, sealed);
                        kept.expect("keeps");
                    }
                },
                Step::Summed(counters) => {
                    let row = workers[at].row;
                    let is_current = row.erasures == self.row().erasures;
                    if is_current {
                        assert_eq!(counters, self.oracle(), "seed {seed}");
                    }
                    let is_last_moment = left < LEAVING_MAX && dice.below(2) == 0;
                    if is_last_moment {
                        left += 1;
                        self.leave(&mut dice);
                    }
                    let stored = self.release(row);
                    if is_current && !is_last_moment {
                        assert_eq!(stored, Stored::Fresh, "seed {seed}");
                        return;
                    }
                    assert_eq!(stored, Stored::Outdated, "seed {seed}");
                    workers[at] = self.begin(&mut dice);
                }
                Step::Moved => {}
            }
        }
        panic!("seed {seed}: it never ends");
    }

    /// One thing that a worker does.
    fn step(&self, worker: &mut Worker, clock: &ManualClock) -> Step {
        let shift = self.shift(worker, clock);
        let anew = Worker {
            row: self.row(),
            pass: Pass::Hear,
            ..*worker
        };
        match (shift.take(worker.pass, 0).expect("asks"), worker.pass) {
            (Taken::Part(part), Pass::Hear) => {
                let sealed = shift.hear(part, &mut || Ok(true)).expect("reads");
                return Step::Made(part, sealed.expect("to the end"));
            }
            (Taken::Part(part), Pass::Count) => match shift.places().expect("reads") {
                Found::All(mut places) => {
                    let sealed = shift.count(part, &mut places, &mut || Ok(true));
                    return Step::Made(part, sealed.expect("reads").expect("to the end"));
                }
                Found::Outdated => *worker = anew,
                Found::Elsewhere | Found::Foreign => panic!("all are done, and alike"),
            },
            (Taken::Part(_), Pass::Add) => match shift.counters().expect("reads") {
                Found::All(counters) => return Step::Summed(counters),
                Found::Outdated => *worker = anew,
                Found::Elsewhere | Found::Foreign => panic!("all are done, and alike"),
            },
            (Taken::Busy, _) => {}
            (Taken::Done, Pass::Hear) => worker.pass = Pass::Count,
            (Taken::Done, Pass::Count) => worker.pass = Pass::Add,
            (Taken::Done, Pass::Add) => panic!("only a release says so"),
            (Taken::Outdated, _) => *worker = anew,
        }
        Step::Moved
    }

    fn begin(&self, dice: &mut Dice) -> Worker {
        let mut holder = [0; 16];
        holder.fill_with(|| u8::try_from(dice.below(256)).expect("a byte"));
        Worker {
            row: self.row(),
            pass: Pass::Hear,
            holder,
        }
    }

    fn shift<'a>(&'a self, worker: &Worker, clock: &'a ManualClock) -> Shift<'a> {
        Shift::new(self.closing(), worker.row, clock, worker.holder)
    }

    fn closing(&self) -> Closing<'_> {
        Closing {
            store: &self.store,
            key: &self.key,
            atlas: &ATLAS,
            quorum: GateRules::default().quorum(),
            metrics: &self.metrics,
            runtime: &self.runtime,
        }
    }

    fn row(&self) -> WeekRow {
        let weeks = self.runtime.block_on(self.store.weeks()).expect("reads");
        weeks[0]
    }

    fn release(&self, row: WeekRow) -> Stored {
        let release = ReleaseRow {
            week: week(),
            revision: 0,
            text: "{}\n".to_owned(),
            signature: [7; 64],
        };
        let stored = self.store.release_week(release, row.erasures, now());
        self.runtime.block_on(stored).expect("asks")
    }

    /// A home withdraws.
    fn leave(&mut self, dice: &mut Dice) {
        let homes: Vec<u8> = self.homes.keys().copied().collect();
        let number = dice.one_of(&homes);
        self.homes.remove(&number);
        let home = HomeId::of_key(&[number; 32]);
        let batches = u32::try_from(DAYS).expect("few");
        let attempt = EraseAttempt {
            home,
            key: [number; 32],
            withdrawal_hash: Hash::of(&[number]),
            held: vec![(week(), self.key.home_token(home), batches)],
            receipt: vec![number],
            forget_at: now().plus_seconds(60),
            listed: (week().monday(), Hash::of(&[number])),
        };
        let erased = self.runtime.block_on(self.store.erase(attempt));
        assert_eq!(erased.expect("asks"), Erased::Done);
    }
}

/// What came of a step.
enum Step {
    /// A part was worked out, and not kept yet.
    Made(u16, Vec<u8>),
    /// Everything was added.
    Summed(Counters),
    /// Nothing, or it knows better now.
    Moved,
}

/// Of a few networks in a few countries.
fn origin(dice: &mut Dice) -> Option<Origin> {
    let country = dice.one_of(&["DE", "FR", "PL"]);
    let network = u32::try_from(dice.below(6)).expect("few");
    Some(Origin {
        country: Country::parse(country)?,
        network: Asn(3_200 + network),
    })
}

fn batch(dice: &mut Dice, home: u8, number: u8, day: Day) -> Batch {
    let vendors: Vec<Vendor> = Vendor::all().take(3).collect();
    let endpoints: Vec<EndpointId> = EndpointId::all().collect();
    let row = CensusRow {
        phones: PhoneCount::One,
        unnamed: UnnamedShare::Below10,
    };
    let mine: BTreeSet<Vendor> = [dice.one_of(&vendors), dice.one_of(&vendors)].into();
    let mut met = BTreeMap::new();
    for _ in 0..OBSERVATIONS {
        let endpoint = dice.one_of(&endpoints);
        let place = u8::try_from(dice.below(4)).expect("few");
        let destination = match endpoint.edge() {
            Some(_) => Destination::Edge,
            None => Destination::Prefix(Prefix::V4([161, 117, place])),
        };
        let key = ObservationKey {
            vendor: dice.one_of(&mine.iter().copied().collect::<Vec<_>>()),
            basis: Basis::Declared,
            endpoint,
            destination,
            service: Service::Tls,
            named_by: NamedBy::Sni,
        };
        let rtt = matches!(destination, Destination::Prefix(_)).then(|| Rtt {
            min: RttStep::from_ms(dice.one_of(&RTT_STEPS_MS).into()).expect("a step"),
            samples: RttSamples::FiveOrMore,
        });
        let volumes = [1, 1_000, 1_000].map(Magnitude::of);
        let seen = Observation::new(key, volumes, VolumeTrust::Exact, rtt);
        met.insert(key, seen.expect("may stand together"));
    }
    let header = BatchHeader {
        audience: Audience::new([1; 32]),
        home: HomeId::of_key(&[home; 32]),
        batch_id: BatchId::new([number; 16]),
        day,
        agent_version: AgentVersion::current(),
        endpoint_list_version: ENDPOINT_LIST_VERSION,
    };
    let census = Census {
        rows: mine
            .iter()
            .map(|&vendor| ((vendor, Basis::Declared), row))
            .collect(),
        unidentified: None,
    };
    let coverage = Coverage {
        source: Source::File,
        losses: BTreeMap::new(),
    };
    let batch = Batch::new(header, census, coverage, met.into_values().collect());
    batch.expect("may stand together")
}

/// Its row in the journal. Who signed it was asked before.
fn seal(
    key: &WeekKey,
    batch: &Batch,
    origin: Option<Origin>,
) -> phonehome_collector::store::JournalRow {
    let header = batch.header();
    let sealed = SealedBatch {
        payload_type: PayloadType::Batch.as_str().to_owned(),
        payload: encode::batch(batch),
        public_key: vec![1; 32],
        signature: vec![1; 64],
    };
    let hash = Hash::of(&sealed.payload);
    let nonce = *hash.as_bytes().first_chunk().expect("12 of 32");
    key.seal(
        (header.home, header.batch_id),
        (origin, false),
        (&sealed, hash),
        &sealed,
        nonce,
    )
}
