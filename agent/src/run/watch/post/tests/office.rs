//! A home whose post is driven, its collector, and clocks moved by hand.

use super::super::*;
use crate::capture::clock::{BootId, Reading};
use crate::observe::DaySummary;
use crate::run::tests::home::{Home, yesterday};
use crate::run::watch::dating::Voucher;
use crate::run::watch::post::send::Order;
use crate::uplink::tests::desk::{Desk, NOW};
use phonehome_proto::batch::{Coverage, Source};
use phonehome_proto::census::{Census, PhoneCount};
use phonehome_proto::decode;
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use std::collections::BTreeSet;
use std::sync::Mutex;
use tonic::Status;

pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const SPREAD: Duration = Duration::from_secs(6 * 3_600);

/// Clocks moved by hand.
pub(super) struct Clock(pub(super) Mutex<Reading>);

impl Clocks for Clock {
    fn read(&self) -> Reading {
        *self.0.lock().expect("unpoisoned")
    }

    fn boot_id(&self) -> Option<BootId> {
        Some(BootId::new([1; 16]))
    }
}

/// What the collector took, by payload.
pub(super) type Taken = Arc<Mutex<Vec<Vec<u8>>>>;

/// A home whose post is driven, and its collector.
pub(super) struct Office {
    pub(super) home: Home,
    pub(super) desk: Desk,
    pub(super) clock: Arc<Clock>,
    pub(super) places: DaemonPlaces,
    pub(super) limits: SpoolLimits,
    pub(super) post: Post,
    /// Batches sealed before the restarts.
    pub(super) sealed_before: u64,
    pub(super) taken: Taken,
}

impl Office {
    /// At noon of the Monday; the kernel vouches for the clock.
    pub(super) async fn open(limits: SpoolLimits) -> anyhow::Result<Self> {
        let desk = Desk::open(true).await?;
        let mut home = Home::willing(yesterday())?;
        home.enrol(&desk).await?;
        let taken = Taken::default();
        desk.script(|script| {
            script.time = NOW.plus_seconds(DAY / 2);
            // For days around, whichever way a test moves it.
            script.manifest.valid_until = NOW.plus_seconds(12 * DAY);
            let taken = Arc::clone(&taken);
            script.answer = Box::new(move |sealed, outcome| {
                taken
                    .lock()
                    .expect("unpoisoned")
                    .push(sealed.payload.clone());
                Some(outcome)
            });
        });
        let run_dir = home.folder.path().join("run");
        let places = DaemonPlaces::new(&home.environment.state, &run_dir, true);
        home.environment.state.claim()?.set_daemon(&places)?;
        let clock = Arc::new(Clock(Mutex::new(Reading {
            wall: NOW.plus_seconds(DAY / 2),
            since_boot_nanos: 1_000_000_000,
            is_synchronised: true,
        })));
        let stand = stand(&clock, Voucher::Kernel);
        let clocks = (Arc::clone(&clock) as Arc<dyn Clocks>, stand);
        let post = Post::open(
            &mut home.environment,
            places.clone(),
            (limits, SPREAD),
            clocks,
        )?;
        Ok(Self {
            home,
            desk,
            clock,
            places,
            limits,
            post,
            sealed_before: 0,
            taken,
        })
    }

    /// The daemon stops and starts again.
    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.sealed_before += self.post.counts().sealed;
        let stand = stand(&self.clock, Voucher::Kernel);
        let open = |environment: &mut Environment| {
            let clocks = (Arc::clone(&self.clock) as Arc<dyn Clocks>, stand);
            Post::open(
                environment,
                self.places.clone(),
                (self.limits, SPREAD),
                clocks,
            )
        };
        let second = open(&mut self.home.environment)?;
        let first = std::mem::replace(&mut self.post, second);
        first.close(&mut self.home.environment).await;
        self.post = open(&mut self.home.environment)?;
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.read().wall
    }

    /// Time passes, for the collector too.
    pub(super) fn pass(&self, seconds: i64) {
        let mut reading = self.clock.0.lock().expect("unpoisoned");
        reading.wall = reading.wall.plus_seconds(seconds);
        reading.since_boot_nanos += u64::try_from(seconds).expect("forwards") * 1_000_000_000;
        self.desk
            .script(|script| script.time = script.time.plus_seconds(seconds));
    }

    /// Some hours in steps of five minutes. Each midnight tells the day before.
    pub(super) async fn live(&mut self, hours: i64) {
        for _ in 0..hours * 12 {
            let before = day_of(self.now());
            self.pass(300);
            if day_of(self.now()) != before {
                self.tell(before).await;
            }
            self.step().await;
        }
    }

    pub(super) async fn step(&mut self) -> Order {
        self.post.turn_over(&mut self.home.environment).await;
        let order = self.post.send_if_due(&mut self.home.environment).await;
        self.balance();
        order
    }

    pub(super) async fn tell(&mut self, day: Day) {
        self.post.take(self.closed(day, BTreeMap::new()));
        self.post.turn_over(&mut self.home.environment).await;
    }

    /// A silent day of the phone, dated by the clock as it stands.
    pub(super) fn closed(&self, day: Day, missed: BTreeMap<Loss, u64>) -> ClosedDay {
        let list = self.home.environment.state.devices().expect("readable");
        let part = Part {
            summary: silent(day),
            devices: list.allowed().map(|(tag, _)| tag).collect(),
            offset_nanos: Some(self.post.stand.offset_nanos),
        };
        ClosedDay {
            part: Some(part),
            missed,
        }
    }

    /// Sealed = held + refused + lost + waiting, at any time.
    pub(super) fn balance(&self) {
        let ledger = self.home.environment.state.ledger().expect("readable");
        let gone = ledger.losses().iter();
        let gone: u64 = gone
            .filter(|(word, _)| word.starts_with("spool_") || word.starts_with("refused_"))
            .map(|(_, count)| count)
            .sum();
        let waiting = self.post.waiting().batches as u64;
        let known = ledger.accepted + gone + waiting + self.post.unplaced.len() as u64;
        assert_eq!(known, self.sealed_before + self.post.counts().sealed);
    }

    pub(super) fn trouble(&self) -> Option<TroubleKind> {
        self.post.trouble().map(|(trouble, _)| trouble.kind)
    }

    /// The days taken, and how many lost batches their batches told of.
    pub(super) fn taken(&self) -> (Vec<String>, u64) {
        let taken = self.taken.lock().expect("unpoisoned");
        let mut days = Vec::new();
        let mut told = 0;
        let mut ids = BTreeSet::new();
        for payload in taken.iter() {
            // An enrolment goes through the same desk, before.
            let Ok(batch) = decode::batch(payload) else {
                continue;
            };
            assert!(ids.insert(batch.header().batch_id.to_hex()), "taken twice");
            days.push(batch.header().day.to_string());
            let dropped = batch.coverage().losses.get(&Loss::DroppedBatches);
            told += dropped.map_or(0, |dropped| dropped.floor());
        }
        (days, told)
    }

    pub(super) fn lost(&self, word: &str) -> u64 {
        let ledger = self.home.environment.state.ledger().expect("readable");
        ledger.losses().get(word).copied().unwrap_or(0)
    }
}

pub(super) fn stand(clock: &Clock, voucher: Voucher) -> Stand {
    let reading = clock.read();
    let since_boot = i64::try_from(reading.since_boot_nanos).expect("since boot");
    Stand {
        offset_nanos: reading.wall.nanos() - since_boot,
        voucher: Some(voucher),
    }
}

/// A day on which one phone was there.
pub(super) fn silent(day: Day) -> DaySummary {
    DaySummary {
        day,
        census: Census {
            rows: BTreeMap::new(),
            unidentified: PhoneCount::of(1),
        },
        coverage: Coverage {
            source: Source::Tap,
            losses: BTreeMap::new(),
        },
        endpoint_list_version: ENDPOINT_LIST_VERSION,
        observations: Vec::new(),
    }
}

/// The collector has no time for anybody.
pub(super) fn away(desk: &Desk) {
    desk.script(|script| {
        script.busy = std::iter::repeat_n(Status::unavailable("away"), 100_000).collect();
    });
}

pub(super) fn back(desk: &Desk) {
    desk.script(|script| script.busy.clear());
}
