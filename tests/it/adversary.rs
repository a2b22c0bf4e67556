//! Whatever a home makes up is refused with its reason, nothing of it is stored, and a counter moves.
//!
//! Over real gRPC, against a collector at work. Every refusal of the closed list is provoked.

mod connections;
mod crowds;
mod operator;
mod raw;
mod readiness;

use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::metrics::Counter;
use phonehome_collector::run::Handle;
use phonehome_proto::encode;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Day, ManualClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

struct Stage {
    folder: TempDir,
    clock: ManualClock,
    collector: Handle,
    liar: Liar,
}

/// The Tuesday everything happens on.
fn today() -> Result<Day> {
    Ok("2026-W46".parse::<Week>()?.monday().plus(8))
}

impl Stage {
    /// A collector, and a home that it has taken in.
    async fn set() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, None)?;
        Self::on(folder, &config).await
    }

    /// The same with pages for readers and counters for its operator.
    async fn with_pages() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, Some("127.0.0.1:0"))?;
        let admin = "\n[admin]\nlisten = \"127.0.0.1:0\"\n";
        fs::write(&config, fs::read_to_string(&config)? + admin)?;
        Self::on(folder, &config).await
    }

    async fn on(folder: TempDir, config: &Path) -> Result<Self> {
        let clock = ManualClock::new(today()?.start().plus_seconds(12 * 3_600));
        let collector = world::start(config, &clock, 0).await?;
        let audience = collector.key().audience();
        let mut liar = Liar::connect(7, collector.intake_address(), audience).await?;
        let invites = collector.invite(1, "127.0.0.1:4317").await?;
        let outcome = liar.enrol(&invites[0]).await?;
        ensure!(
            matches!(outcome, Outcome::Receipt(_)),
            "the home is taken in"
        );
        Ok(Self {
            folder,
            clock,
            collector,
            liar,
        })
    }

    /// Rows of the journal, as they stand in the database.
    fn rows(&self) -> Result<i64> {
        rows_in(self.folder.path())
    }

    /// Sends one envelope that must be refused as `reason`.
    async fn refuses(&mut self, sealed: SealedBatch, reason: Reject) -> Result<()> {
        let (rows, before) = (self.rows()?, self.collector.metrics());
        let outcomes = self.liar.submit(vec![sealed]).await?;
        let refused = matches!(outcomes.as_slice(), [Outcome::Refused(why)] if *why == reason);
        ensure!(refused, "{reason:?}: {}", words(&outcomes));
        ensure!(self.rows()? == rows, "{reason:?}: nothing is stored");
        let moved = moved(&before, &self.collector.metrics());
        let expected = BTreeMap::from([
            (Counter::RequestsReceived, 1),
            (Counter::RequestsAnswered, 1),
            (Counter::BatchesReceived, 1),
            (Counter::BatchesRejected(reason), 1),
        ]);
        ensure!(moved == expected, "{reason:?}: {moved:?}");
        Ok(())
    }
}

/// Rows of the journal of the collector in a folder.
fn rows_in(folder: &Path) -> Result<i64> {
    let config = Config::load(&folder.join("collector.toml"))?;
    let database = rusqlite::Connection::open(config.database())?;
    Ok(database.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?)
}

fn words(outcomes: &[Outcome]) -> String {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Receipt(_) => "receipt",
        Outcome::Refused(reason) => reason.as_str(),
        Outcome::RefusedUnknown { .. } => "unknown refusal",
    };
    outcomes.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn moved(
    before: &BTreeMap<Counter, u64>,
    after: &BTreeMap<Counter, u64>,
) -> BTreeMap<Counter, u64> {
    let differences = after
        .iter()
        .map(|(counter, value)| (*counter, value - before[counter]));
    // What is forgotten by and by is the clock's doing.
    differences
        .filter(|(counter, difference)| *difference > 0 && !counter.name().contains("_forgotten_"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_is_refused_with_its_reason() -> Result<()> {
    let mut stage = Stage::set().await?;
    let yesterday = today()?.previous();
    let honest = stage.liar.sealed(stage.liar.header(yesterday, 1));
    let mut provoked = BTreeSet::new();

    let lies: Vec<(Reject, SealedBatch)> = {
        let liar = &stage.liar;
        let header = |number| liar.header(yesterday, number);
        let forged = {
            let other = SigningKey::from_seed(&[8; 32]);
            let payload = encode::batch(&liar.batch(header(2)));
            let mut sealed = SealedBatch::seal(PayloadType::Batch, payload, &other);
            sealed.public_key = liar.key.public().as_bytes().to_vec();
            sealed
        };
        let altered = {
            let mut sealed = liar.sealed(header(3));
            *sealed.payload.last_mut().context("a payload")? ^= 1;
            sealed
        };
        let stranger = {
            let key = SigningKey::from_seed(&[9; 32]);
            let payload = encode::batch(&liar.batch(header(4)));
            SealedBatch::seal(PayloadType::Batch, payload, &key)
        };
        let mut wasteful = encode::batch(&liar.batch(header(5)));
        // An unknown field, number 1,000.
        wasteful.extend([0xc0, 0x3e, 0x01]);
        let consent = SealedBatch::seal(PayloadType::Consent, vec![1], &liar.key);
        let mut elsewhere = header(6);
        elsewhere.audience = Audience::new([6; 32]);
        let mut somebody = header(7);
        somebody.home = HomeId::new([7; 32]);
        let mut other_list = header(8);
        other_list.endpoint_list_version += 1;
        let old = "2026-W44".parse::<Week>()?.monday();
        vec![
            (Reject::BadSignature, forged),
            (Reject::BadSignature, altered),
            (Reject::UnknownKey, stranger),
            (Reject::NotCanonical, liar.seal(wasteful)),
            (Reject::Malformed, liar.seal(vec![0xff; 40])),
            (Reject::UnknownType, consent),
            (
                Reject::TooLarge,
                liar.seal(vec![0; limits::PAYLOAD_BYTES_MAX + 1]),
            ),
            (Reject::WrongAudience, liar.sealed(elsewhere)),
            (Reject::WrongHome, liar.sealed(somebody)),
            (Reject::UnknownList, liar.sealed(other_list)),
            (Reject::TooEarly, liar.sealed(liar.header(today()?, 9))),
            (Reject::TooLate, liar.sealed(liar.header(old, 10))),
        ]
    };
    for (reason, sealed) in lies {
        stage.refuses(sealed, reason).await?;
        provoked.insert(reason);
    }

    // Replayed: the first receipt again, byte for byte, and nothing stored twice.
    let outcomes = stage.liar.submit(vec![honest.clone()]).await?;
    let [Outcome::Receipt(receipt)] = outcomes.as_slice() else {
        anyhow::bail!("a receipt")
    };
    ensure!(stage.rows()? == 1, "one batch is held");
    let before = stage.collector.metrics();
    stage.clock.set(today()?.end());
    let again = stage.liar.submit(vec![honest; 2]).await?;
    for outcome in &again {
        ensure!(
            matches!(outcome, Outcome::Receipt(same) if same == receipt),
            "{}",
            words(&again)
        );
    }
    ensure!(stage.rows()? == 1, "one batch is held still");
    let moved_counters = moved(&before, &stage.collector.metrics());
    let repeated = BTreeMap::from([
        (Counter::RequestsReceived, 1),
        (Counter::RequestsAnswered, 1),
        (Counter::BatchesReceived, 2),
        (Counter::BatchesRepeated, 2),
    ]);
    ensure!(moved_counters == repeated, "{moved_counters:?}");

    // The same id with other bytes.
    let mut other = stage.liar.header(yesterday, 1);
    other.agent_version.patch += 1;
    let other = stage.liar.sealed(other);
    stage.refuses(other, Reject::Conflict).await?;
    provoked.insert(Reject::Conflict);

    // One more than a request may hold: only the surplus is refused.
    let many = (0..=limits::REQUEST_BATCHES_MAX).map(|number| {
        let number = u8::try_from(100 + number).expect("few");
        stage.liar.sealed(stage.liar.header(yesterday, number))
    });
    let outcomes = stage.liar.submit(many.collect()).await?;
    let (last, others) = outcomes.split_last().context("outcomes")?;
    ensure!(
        matches!(last, Outcome::Refused(Reject::TooMany)),
        "{}",
        words(&outcomes)
    );
    ensure!(
        others
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Receipt(_))),
        "in order"
    );
    provoked.insert(Reject::TooMany);

    // An invite works once.
    let invite = stage.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
    let (address, audience) = (stage.collector.intake_address(), stage.liar.audience);
    let mut first = Liar::connect(20, address, audience).await?;
    let mut second = Liar::connect(21, address, audience).await?;
    ensure!(
        matches!(first.enrol(&invite).await?, Outcome::Receipt(_)),
        "the first is in"
    );
    ensure!(
        matches!(first.enrol(&invite).await?, Outcome::Receipt(_)),
        "and may ask again"
    );
    let outcome = second.enrol(&invite).await?;
    ensure!(
        matches!(outcome, Outcome::Refused(Reject::InvalidInvite)),
        "the second is not"
    );
    provoked.insert(Reject::InvalidInvite);

    // A key that was replaced says nothing of later days, and a key speaks for one home.
    let taken = stage.liar.rotation(&second.key);
    let refused = Outcome::Refused(Reject::KeyTaken);
    ensure!(
        first.rotate(first.rotation(&stage.liar.key)).await? == refused,
        "it is taken"
    );
    ensure!(
        is_receipt(&stage.liar.rotate(taken).await?),
        "an unused key is not"
    );
    provoked.insert(Reject::KeyTaken);
    stage.clock.set(today()?.plus(3).start());
    let later = stage.liar.sealed(stage.liar.header(today()?.plus(2), 99));
    stage.refuses(later, Reject::KeyRetired).await?;
    provoked.insert(Reject::KeyRetired);

    // These take an operator's word: `registry.rs` provokes them.
    provoked.extend([Reject::NotApproved, Reject::Revoked]);
    let all: BTreeSet<_> = Reject::ALL.into_iter().collect();
    ensure!(
        provoked == all,
        "not provoked: {:?}",
        all.difference(&provoked)
    );
    balances(&stage.collector.metrics())?;
    stage.collector.stop().await;
    Ok(())
}

const fn is_receipt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Receipt(_))
}

/// In = out + each counted refusal, for batches, enrolments and rotations.
fn balances(metrics: &BTreeMap<Counter, u64>) -> Result<()> {
    let rejected = |counter: fn(Reject) -> Counter| -> u64 {
        Reject::ALL
            .iter()
            .map(|reason| metrics[&counter(*reason)])
            .sum()
    };
    let batches = metrics[&Counter::BatchesAccepted]
        + metrics[&Counter::BatchesRepeated]
        + metrics[&Counter::BatchesDeferred]
        + rejected(Counter::BatchesRejected);
    ensure!(
        metrics[&Counter::BatchesReceived] == batches,
        "batches: {metrics:?}"
    );
    let enrolments = metrics[&Counter::EnrolmentsAccepted]
        + metrics[&Counter::EnrolmentsRepeated]
        + metrics[&Counter::EnrolmentsDeferred]
        + rejected(Counter::EnrolmentsRejected);
    ensure!(
        metrics[&Counter::EnrolmentsReceived] == enrolments,
        "enrolments: {metrics:?}"
    );
    let rotations = metrics[&Counter::RotationsAccepted]
        + metrics[&Counter::RotationsRepeated]
        + metrics[&Counter::RotationsDeferred]
        + rejected(Counter::RotationsRejected);
    ensure!(
        metrics[&Counter::RotationsReceived] == rotations,
        "rotations: {metrics:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_its_size_is_no_batch_at_all() -> Result<()> {
    let mut stage = Stage::set().await?;
    let before = stage.collector.metrics();
    let huge = stage.liar.seal(vec![0; limits::REQUEST_BYTES_MAX]);
    ensure!(
        stage.liar.submit(vec![huge]).await.is_err(),
        "gRPC itself refuses it"
    );
    ensure!(stage.rows()? == 0, "nothing is stored");
    let moved = moved(&before, &stage.collector.metrics());
    ensure!(!moved.contains_key(&Counter::BatchesReceived), "{moved:?}");
    stage.collector.stop().await;
    Ok(())
}
