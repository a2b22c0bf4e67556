//! A home's key changes and the home stays: over real gRPC, as the weeks pass, and against liars.

use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::metrics::Counter;
use phonehome_collector::run::Handle;
use phonehome_collector::run::commands::Format;
use phonehome_collector::run::commands::agents::{self, Listing};
use phonehome_collector::weeks::destroyed_at;
use phonehome_proto::id::Audience;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Clock, Day, ManualClock, Week};
use phonehome_proto::{decode, encode};
use phonehome_tests::liar::Liar;
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::population;
use phonehome_tests::world::ground::{self, Reach};
use phonehome_tests::world::{self, World};
use std::sync::Arc;
use tempfile::TempDir;

/// A collector, a clock, and two homes that it has taken in.
struct Stage {
    _folder: TempDir,
    clock: ManualClock,
    collector: Handle,
    mine: Liar,
    other: Liar,
}

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

/// The Wednesday everything begins on.
fn wednesday() -> Result<Day> {
    Ok(week()?.monday().plus(2))
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

impl Stage {
    async fn set() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, None)?;
        let clock = ManualClock::new(wednesday()?.start().plus_seconds(12 * 3_600));
        let collector = world::start(&config, &clock, 0).await?;
        let (address, audience) = (collector.intake_address(), collector.key().audience());
        let invites = collector.invite(2, "127.0.0.1:4317").await?;
        let mut mine = Liar::connect(1, address, audience).await?;
        let mut other = Liar::connect(2, address, audience).await?;
        ensure!(is_receipt(&mine.enrol(&invites[0]).await?), "it is in");
        ensure!(is_receipt(&other.enrol(&invites[1]).await?), "it is in");
        Ok(Self {
            _folder: folder,
            clock,
            collector,
            mine,
            other,
        })
    }

    /// What becomes of a batch of `day` that the key of `seed` signs in the name of the first home.
    async fn batch(&mut self, day: Day, number: u8, seed: u8) -> Result<Outcome> {
        let mut twin = self.mine.twin();
        twin.key = key(seed);
        let sealed = twin.sealed(twin.header(day, number));
        let mut outcomes = self.mine.submit(vec![sealed]).await?;
        outcomes.pop().context("one outcome")
    }

    /// Has the first home rotate to the key of `seed`; the rotation that did it, and the answer.
    async fn rotate(&mut self, seed: u8) -> Result<(SealedBatch, Outcome)> {
        let sealed = self.mine.rotation(&key(seed));
        let outcome = self.mine.rotate(sealed.clone()).await?;
        self.mine.key = key(seed);
        Ok((sealed, outcome))
    }
}

const fn is_receipt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Receipt(_))
}

fn refused(outcome: &Outcome, reason: Reject) -> Result<()> {
    let word = match outcome {
        Outcome::Receipt(_) => "a receipt",
        Outcome::Refused(reason) => reason.as_str(),
        Outcome::RefusedUnknown { .. } => "an unknown refusal",
    };
    ensure!(*outcome == Outcome::Refused(reason), "{reason:?}: {word}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rotation_but_the_homes_own_is_taken() -> Result<()> {
    let mut stage = Stage::set().await?;
    let honest = stage.mine.rotation(&key(3));

    // Signed by the new key only, by nobody, by another home in this one's name.
    for (signer, reason) in [
        (3, Reject::UnknownKey),
        (9, Reject::UnknownKey),
        (2, Reject::WrongHome),
    ] {
        let payload = honest.payload.clone();
        let forged = SealedBatch::seal(PayloadType::Rotate, payload, &key(signer));
        refused(&stage.mine.rotate(forged).await?, reason)?;
    }
    // To a key that another home has, and to the one it has.
    for taken in [2, 1] {
        let sealed = stage.mine.rotation(&key(taken));
        refused(&stage.mine.rotate(sealed).await?, Reject::KeyTaken)?;
    }
    // Somebody else's key, without its agreement: the proof is another's.
    let mut thief = decode::rotation(&honest.payload)
        .ok()
        .context("a rotation")?;
    thief.facts.new_key = key(2).public();
    let payload = encode::rotation(&thief);
    let sealed = SealedBatch::seal(PayloadType::Rotate, payload, &stage.mine.key);
    refused(&stage.mine.rotate(sealed).await?, Reject::BadSignature)?;
    // For another collector; of another type; altered; empty.
    let mut elsewhere = stage.mine.twin();
    elsewhere.audience = Audience::new([6; 32]);
    let sealed = elsewhere.rotation(&key(3));
    refused(&stage.mine.rotate(sealed).await?, Reject::WrongAudience)?;
    let batch = stage.mine.sealed(stage.mine.header(week()?.monday(), 1));
    refused(&stage.mine.rotate(batch).await?, Reject::UnknownType)?;
    let withdrawal = stage.mine.withdrawal(1);
    refused(&stage.mine.rotate(withdrawal).await?, Reject::UnknownType)?;
    let mut altered = honest.clone();
    altered.payload[40] ^= 1;
    refused(&stage.mine.rotate(altered).await?, Reject::BadSignature)?;
    let empty = SealedBatch::seal(PayloadType::Rotate, Vec::new(), &stage.mine.key);
    refused(&stage.mine.rotate(empty).await?, Reject::Malformed)?;
    // A rotation is no batch either.
    let outcomes = stage.mine.submit(vec![honest.clone()]).await?;
    refused(&outcomes[0], Reject::UnknownType)?;

    // None of it did anything.
    ensure!(
        is_receipt(&stage.batch(week()?.monday(), 1, 1).await?),
        "the key is the home's"
    );
    ensure!(
        is_receipt(&stage.mine.rotate(honest).await?),
        "and may be replaced"
    );

    let metrics = stage.collector.metrics();
    let rejected: u64 = Reject::ALL
        .iter()
        .map(|reason| metrics[&Counter::RotationsRejected(*reason)])
        .sum();
    ensure!(
        (rejected, metrics[&Counter::RotationsAccepted]) == (11, 1),
        "{metrics:?}"
    );
    ensure!(metrics[&Counter::RotationsReceived] == 12, "{metrics:?}");
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_stays_and_never_comes_back() -> Result<()> {
    let mut stage = Stage::set().await?;
    ensure!(
        is_receipt(&stage.batch(week()?.monday(), 1, 1).await?),
        "the first key reports"
    );
    let (first, outcome) = stage.rotate(3).await?;
    let Outcome::Receipt(receipt) = &outcome else {
        anyhow::bail!("the rotation is taken")
    };
    let payload = receipt.open(PayloadType::Receipt, &stage.collector.key())?;
    let said = decode::receipt(payload)?;
    ensure!(
        said.payload_type == PayloadType::Rotate,
        "it says what it is for"
    );
    ensure!(said.home == stage.mine.home, "the home keeps its name");
    // The same bytes, the same receipt.
    ensure!(
        stage.mine.rotate(first.clone()).await? == outcome,
        "repeated"
    );

    // Both keys report on days until now; a repetition is one, whichever key had signed it.
    let (monday, tuesday) = (week()?.monday(), week()?.monday().plus(1));
    ensure!(
        is_receipt(&stage.batch(tuesday, 2, 1).await?),
        "it waited in a spool"
    );
    ensure!(
        is_receipt(&stage.batch(tuesday, 3, 3).await?),
        "the new key reports"
    );
    ensure!(
        is_receipt(&stage.batch(monday, 1, 3).await?),
        "a repetition"
    );
    let ground = stage.collector.ground();
    let now = stage.clock.now();
    let list = agents::list(ground, Listing::default(), Format::Table, now)
        .await?
        .text;
    let line = |liar: &Liar| {
        let home = liar.home.to_hex();
        let lines = list.lines().filter(|line| line.starts_with(&home[..12]));
        lines
            .map(|line| line.chars().last().unwrap_or(' '))
            .collect::<String>()
    };
    ensure!(
        line(&stage.mine) == "2" && line(&stage.other) == "1",
        "{list}"
    );

    // On later days the old key says nothing, nor does it change or end anything.
    stage.clock.set(wednesday()?.end());
    ensure!(
        is_receipt(&stage.batch(wednesday()?, 4, 1).await?),
        "the day it was replaced on"
    );
    stage.clock.set(wednesday()?.plus(1).end());
    let thursday = wednesday()?.plus(1);
    refused(&stage.batch(thursday, 5, 1).await?, Reject::KeyRetired)?;
    ensure!(
        is_receipt(&stage.batch(thursday, 5, 3).await?),
        "the new key does"
    );
    let mut past = stage.mine.twin();
    past.key = key(1);
    let sealed = past.rotation(&key(4));
    refused(&stage.mine.rotate(sealed).await?, Reject::KeyRetired)?;
    refused(
        &stage.mine.withdraw(past.withdrawal(1)).await?,
        Reject::KeyRetired,
    )?;
    let invite = stage.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
    refused(&past.enrol(&invite).await?, Reject::KeyRetired)?;
    // Nor can a later key begin a home of its own.
    let mut later = stage.mine.twin();
    refused(&later.enrol(&invite).await?, Reject::KeyTaken)?;

    // After a second rotation the first one is history, and there is no way back.
    let (second, outcome) = stage.rotate(4).await?;
    ensure!(is_receipt(&outcome), "the second is taken");
    refused(&stage.mine.rotate(first.clone()).await?, Reject::KeyRetired)?;
    let back = stage.mine.rotation(&key(1));
    refused(&stage.mine.rotate(back).await?, Reject::KeyTaken)?;
    ensure!(stage.mine.rotate(second).await? == outcome, "it stands");

    // When their weeks are final the old keys are nobody's; the home is still the home.
    let destroyed = destroyed_at(week()?);
    stage.clock.set(destroyed.plus_seconds(-1));
    stage.collector.tick().await?;
    ensure!(
        is_receipt(&stage.batch(monday, 1, 1).await?),
        "a repetition is still recognised"
    );
    stage.clock.set(destroyed);
    stage.collector.tick().await?;
    refused(&stage.batch(monday, 1, 1).await?, Reject::UnknownKey)?;
    refused(&stage.mine.rotate(first).await?, Reject::UnknownKey)?;
    refused(&past.enrol(&invite).await?, Reject::KeyRetired)?;
    ensure!(
        stage.collector.metrics()[&Counter::KeysForgotten] == 2,
        "both"
    );
    let yesterday = destroyed.day().context("a day")?.previous();
    ensure!(
        is_receipt(&stage.batch(yesterday, 9, 4).await?),
        "the home reports"
    );
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_repeated_also_when_the_old_key_is_forgotten() -> Result<()> {
    let mut stage = Stage::set().await?;
    let (rotation, outcome) = stage.rotate(3).await?;
    stage.clock.set(destroyed_at(week()?));
    stage.collector.tick().await?;
    ensure!(
        stage.collector.metrics()[&Counter::KeysForgotten] == 1,
        "it is forgotten"
    );
    ensure!(
        stage.mine.rotate(rotation).await? == outcome,
        "the same bytes again"
    );
    stage.collector.stop().await;
    Ok(())
}

/// Two worlds, alike but for some homes that change their key in the middle of the week's reports.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_home_counts_once() -> Result<()> {
    let mut releases = Vec::new();
    for is_rotated in [false, true] {
        let week = week()?;
        let homes = population::homes(population::SEED, 12);
        let mut world = World::begin(homes, week, None).await?;
        world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
        let captures = world.captures(week);
        for resident in world.homes.iter_mut().take(4) {
            let agent = &mut resident.agent;
            let before = agent.environment.state.our_keys()?.context("keys")?;
            if is_rotated {
                let mut out = Vec::new();
                phonehome_agent::run::rotate::rotate(&mut agent.environment, None, &mut out)
                    .await?;
                let after = agent.environment.state.our_keys()?.context("keys")?;
                ensure!(before.id() == after.id(), "the same home");
                ensure!(before.current() != after.current(), "another key");
            }
            // The week again: the same days from the same home, under whatever key it has.
            let capture = captures.join(format!("home-{}.pcap", agent.home.number));
            let url = format!("https://{}", resident.relay.address());
            let reported = agent.report(&[capture], &url, &resident.invite).await?;
            ensure!(reported.held > 0, "{}", reported.err);
        }
        world.close(week).await?;
        let release = world.releases().await?.pop().context("a release")?;
        releases.push(json::to_json(&release));
        world.end().await;
    }
    ensure!(releases[0] == releases[1], "the numbers are the same");
    Ok(())
}
