//! Clients under whose load the collector is killed: they send, they are cut off, they ask again, and
//! they write down every receipt.

use crate::process::pause;
use anyhow::{Context, Result};
use phonehome_collector::weeks::closes_at;
use phonehome_proto::chance::{Chance, SeededChance};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::seal::{SealedBatch, SigningKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::{Clock, Day, SystemClock};
use phonehome_tests::liar::Liar;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// What the clients were told, and what of it does not fit together.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By home and batch: the receipt, once there was one.
    pub(crate) batches: BTreeMap<(HomeId, BatchId), Option<SealedBatch>>,
    /// Homes that are in and did not ask to be forgotten.
    pub(crate) homes: Vec<HomeId>,
    /// Homes that were told that they are forgotten.
    pub(crate) gone: Vec<HomeId>,
    /// Requests that were cut off or sent away.
    pub(crate) unanswered: u64,
    /// Of those: told by the collector itself when to come back.
    pub(crate) sent_away: u64,
    /// Receipts that came a second time, for the same batch.
    pub(crate) repeated: u64,
    /// Broken promises.
    pub(crate) broken: Vec<String>,
}

/// The clients at work.
pub(crate) struct Load {
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<()>>,
}

/// One client: one home after the other.
struct Client {
    address: SocketAddr,
    audience: Audience,
    dice: SeededChance,
    invites: Arc<Mutex<VecDeque<Invite>>>,
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
}

/// Homes that report at the same time.
pub(crate) const CLIENTS: u64 = 6;

/// Batches of a home; then another takes its place. Less than a home may send.
const HOME_BATCHES_MAX: usize = 240;

/// Batches in one request.
const REQUEST_BATCHES_MAX: u32 = 6;

/// How long a client waits that was cut off.
const WAIT: Duration = Duration::from_millis(25);

impl Load {
    /// Starts clients, which enrol with `invites`; what they do is decided by `seed`, what they find by
    /// the collector.
    pub(crate) fn begin(
        address: SocketAddr,
        audience: Audience,
        invites: Vec<Invite>,
        seed: u64,
    ) -> Self {
        let (told, stop) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let invites = Arc::new(Mutex::new(VecDeque::from(invites)));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = Client {
                address,
                audience,
                dice: SeededChance::new(seed.wrapping_mul(CLIENTS).wrapping_add(number)),
                invites: Arc::clone(&invites),
                told: Arc::clone(&told),
                stop: Arc::clone(&stop),
            };
            clients.spawn(client.live());
        }
        Self {
            told,
            stop,
            clients,
        }
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        lock(&self.told)
    }

    /// Lets the clients finish what they are at, while there is a collector, and gives what they were
    /// told.
    pub(crate) async fn end(mut self) -> Result<Told> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended??;
        }
        Ok(std::mem::take(&mut *lock(&self.told)))
    }
}

impl Client {
    /// One home after the other, until told to stop, or no invite is left.
    async fn live(mut self) -> Result<()> {
        while !self.is_over() {
            let Some(invite) = lock(&self.invites).pop_front() else {
                return Ok(());
            };
            let Some(mut home) = self.arrive().await else {
                return Ok(());
            };
            let enrolled = loop {
                match home.enrol(&invite).await {
                    Ok(outcome) => break outcome,
                    Err(_) if self.is_over() => return Ok(()),
                    Err(_) => self.wait().await,
                }
            };
            match enrolled {
                Outcome::Receipt(_) => lock(&self.told).homes.push(home.home),
                refused => self.breaks(format!("a home was not let in: {refused:?}")),
            }
            self.report(&mut home).await?;
            // Every third leaves for good.
            if !self.is_over() && self.dice.below(3) == 0 {
                self.leave(&mut home).await;
            }
        }
        Ok(())
    }

    /// A new home, connected; `None` if it was told to stop before.
    async fn arrive(&mut self) -> Option<Liar> {
        let seed = self.dice.bytes();
        let mut home = loop {
            match Liar::connect(1, self.address, self.audience).await {
                Ok(home) => break home,
                Err(_) if self.is_over() => return None,
                Err(_) => self.wait().await,
            }
        };
        home.key = SigningKey::from_seed(&seed);
        home.home = home.key.public().home();
        Some(home)
    }

    /// Sends batches until the home is full: new ones, and again some that were acknowledged.
    async fn report(&mut self, home: &mut Liar) -> Result<()> {
        let mut sent: Vec<(Day, BatchId)> = Vec::new();
        while sent.len() < HOME_BATCHES_MAX && !self.is_over() {
            let mut request = Vec::new();
            for _ in 0..=self.dice.below(REQUEST_BATCHES_MAX) {
                let is_again = !sent.is_empty() && self.dice.below(4) == 0;
                request.push(if is_again {
                    let at = self.dice.below(u32::try_from(sent.len())?);
                    sent[usize::try_from(at)?]
                } else {
                    let fresh = (self.day()?, BatchId::new(self.dice.bytes()));
                    sent.push(fresh);
                    lock(&self.told).batches.insert((home.home, fresh.1), None);
                    fresh
                });
            }
            // What nobody answered is asked again as it was, over as many restarts as it takes.
            while !self.send(home, &request).await && !self.is_over() {}
        }
        Ok(())
    }

    /// Sends one request; says whether it was answered, and writes down what was said.
    async fn send(&mut self, home: &mut Liar, request: &[(Day, BatchId)]) -> bool {
        let sealed = request.iter().map(|(day, id)| {
            let mut header = home.header(*day, 0);
            header.batch_id = *id;
            home.sealed(header)
        });
        let sealed = sealed.collect();
        let outcomes = match home.submit(sealed).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                lock(&self.told).sent_away += u64::from(says_when(&error));
                self.wait().await;
                return false;
            }
        };
        for ((_, id), outcome) in request.iter().zip(outcomes) {
            match outcome {
                Outcome::Receipt(receipt) => self.note(home.home, *id, receipt),
                refused => self.breaks(format!("a good batch was refused: {refused:?}")),
            }
        }
        true
    }

    /// Writes a receipt down; it must be the first one's bytes.
    fn note(&self, home: HomeId, id: BatchId, receipt: SealedBatch) {
        let mut told = lock(&self.told);
        let before = told.batches.insert((home, id), Some(receipt.clone()));
        match before {
            Some(Some(first)) if first != receipt => {
                told.broken
                    .push("a second receipt says something else".to_owned());
            }
            Some(Some(_)) => told.repeated += 1,
            Some(None) | None => {}
        }
    }

    /// Withdraws; what was told of it stands in the books no more.
    async fn leave(&mut self, home: &mut Liar) {
        let withdrawal = home.withdrawal(1);
        // From now on it may be gone, or not; once there is an answer, it is.
        self.strike(home.home);
        let answer = loop {
            match home.withdraw(withdrawal.clone()).await {
                Ok(outcome) => break outcome,
                Err(_) if self.is_over() => return,
                Err(_) => self.wait().await,
            }
        };
        match answer {
            Outcome::Receipt(_) => lock(&self.told).gone.push(home.home),
            refused => self.breaks(format!("a home could not leave: {refused:?}")),
        }
    }

    /// Takes a home out of the books.
    fn strike(&self, home: HomeId) {
        let mut told = lock(&self.told);
        told.batches.retain(|(whose, _), _| *whose != home);
        told.homes.retain(|whose| *whose != home);
    }

    /// Nobody answered: waits, but not for long.
    async fn wait(&self) {
        lock(&self.told).unanswered += 1;
        pause(WAIT).await;
    }

    /// A day that is over, of a week that stays open for another hour.
    fn day(&mut self) -> Result<Day> {
        let now = SystemClock.now();
        let today = now.day().context("a day of this century")?;
        let open: Vec<Day> =
            std::iter::successors(Some(today.previous()), |day| Some(day.previous()))
                .take(7)
                .filter(|day| now.plus_seconds(3_600) < closes_at(day.week()))
                .collect();
        let at = self.dice.below(u32::try_from(open.len())?);
        Ok(open[usize::try_from(at)?])
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn breaks(&self, what: String) {
        lock(&self.told).broken.push(what);
    }
}

/// Whether it is the collector's own word, with a time to come back.
fn says_when(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<tonic::Status>();
    status.is_some_and(|status| {
        status.code() == tonic::Code::Unavailable && status::retry_after_seconds(status).is_some()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole between any two statements, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
