//! A home leaves and is forgotten: what is told, what is gone, and what stays.

use anyhow::{Context, Result, ensure};
use phonehome_agent::run::withdraw::withdraw;
use phonehome_collector::config::Config;
use phonehome_collector::format::json;
use phonehome_collector::metrics::Counter;
use phonehome_collector::run::Handle;
use phonehome_collector::run::commands::Format;
use phonehome_collector::run::commands::agents::{self, Listing};
use phonehome_collector::weeks::{closes_at, destroyed_at};
use phonehome_proto::decode;
use phonehome_proto::id::{Audience, Hash};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Clock, Day, ManualClock, Week};
use phonehome_proto::withdrawal::Erasure;
use phonehome_tests::liar::Liar;
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::population;
use phonehome_tests::world::ground::{self, Reach};
use phonehome_tests::world::{self, World};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A collector, its clock, and where its files lie.
struct Stage {
    _folder: TempDir,
    config: PathBuf,
    clock: ManualClock,
    collector: Handle,
}

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

/// The Monday after: every day of the week is over, and the week open.
fn monday() -> Result<Day> {
    Ok(week()?.next().monday())
}

impl Stage {
    async fn set() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, None)?;
        let clock = ManualClock::new(monday()?.start().plus_seconds(12 * 3_600));
        let collector = world::start(&config, &clock, 0).await?;
        Ok(Self {
            _folder: folder,
            config,
            clock,
            collector,
        })
    }

    /// A home that was taken in.
    async fn home(&self, seed: u8) -> Result<Liar> {
        let (address, audience) = (
            self.collector.intake_address(),
            self.collector.key().audience(),
        );
        let mut liar = Liar::connect(seed, address, audience).await?;
        let invite = self.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
        ensure!(is_receipt(&liar.enrol(&invite).await?), "it is in");
        Ok(liar)
    }

    fn rows(&self) -> Result<i64> {
        let database = rusqlite::Connection::open(Config::load(&self.config)?.database())?;
        Ok(database.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?)
    }

    /// What the collector says in its signed answer.
    fn read(&self, outcome: &Outcome) -> Result<Erasure> {
        let Outcome::Receipt(erasure) = outcome else {
            anyhow::bail!("an erasure: {outcome:?}")
        };
        let payload = erasure.open(PayloadType::Erasure, &self.collector.key())?;
        Ok(decode::erasure(payload)?)
    }
}

const fn is_receipt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Receipt(_))
}

/// Reports the days of the week from Monday on, one batch each, numbered from `first`.
async fn report(home: &mut Liar, days: u8, first: u8) -> Result<Vec<Outcome>> {
    let week = week()?;
    let sealed = (0..days).map(|day| {
        let header = home.header(week.monday().plus(day.into()), first + day);
        home.sealed(header)
    });
    let sealed = sealed.collect();
    home.submit(sealed).await
}

/// Whether any file in a folder, or in one below it, holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, bytes)?
        } else {
            fs::read(&path)?
                .windows(bytes.len())
                .any(|window| window == bytes)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_is_forgotten_and_told_so_again_and_again() -> Result<()> {
    let mut stage = Stage::set().await?;
    let (mut mine, mut other) = (stage.home(1).await?, stage.home(2).await?);
    ensure!(
        report(&mut mine, 5, 1).await?.iter().all(is_receipt),
        "held"
    );
    ensure!(
        report(&mut other, 5, 1).await?.iter().all(is_receipt),
        "held"
    );
    // Its second key is the one that counts.
    let first = mine.key.public();
    let second = SigningKey::from_seed(&[3; 32]);
    ensure!(
        is_receipt(&mine.rotate(mine.rotation(&second)).await?),
        "rotated"
    );
    mine.key = second;
    let data = Config::load(&stage.config)?.data_dir;
    let traces = [
        mine.home.as_bytes().to_vec(),
        first.as_bytes().to_vec(),
        mine.key.public().as_bytes().to_vec(),
        Hash::of(mine.key.public().as_bytes()).as_bytes().to_vec(),
        Hash::of(&mine.sealed(mine.header(week()?.monday(), 1)).payload)
            .as_bytes()
            .to_vec(),
    ];
    for trace in &traces {
        ensure!(holds(&data, trace)?, "before, it is there");
    }

    let withdrawal = mine.withdrawal(7);
    let outcome = mine.withdraw(withdrawal.clone()).await?;
    let erasure = stage.read(&outcome)?;
    ensure!(
        (erasure.batches, erasure.weeks.as_slice()) == (5, &[week()?][..]),
        "{erasure:?}"
    );
    ensure!(erasure.home == mine.home, "it is for this home");
    ensure!(
        erasure.withdrawal_hash == Hash::of(&withdrawal.payload),
        "and for this wish"
    );
    ensure!(
        erasure.erased_at == monday()?.start().plus_seconds(12 * 3_600),
        "of this hour"
    );
    ensure!(stage.rows()? == 5, "the other home's are there");
    for trace in &traces {
        ensure!(!holds(&data, trace)?, "nothing of it is in any file");
    }
    let (ground, now) = (stage.collector.ground(), stage.clock.now());
    let list = agents::list(ground, Listing::default(), Format::Table, now)
        .await?
        .text;
    ensure!(!list.contains(&mine.home.to_hex()[..12]), "{list}");
    ensure!(list.contains(&other.home.to_hex()[..12]), "{list}");

    // Whoever it was is a stranger now.
    let unknown = Outcome::Refused(Reject::UnknownKey);
    ensure!(
        report(&mut mine, 1, 1).await?[0] == unknown,
        "it reports no more"
    );
    ensure!(
        mine.rotate(mine.rotation(&SigningKey::from_seed(&[4; 32])))
            .await?
            == unknown,
        "nor"
    );
    ensure!(
        mine.withdraw(mine.withdrawal(8)).await? == unknown,
        "it is gone already"
    );
    // But is told the same again: at once, after a restart, and until the time is over.
    ensure!(
        mine.withdraw(withdrawal.clone()).await? == outcome,
        "the same bytes"
    );
    let Stage {
        _folder,
        config,
        clock,
        collector,
    } = stage;
    collector.stop().await;
    let collector = world::start(&config, &clock, 1).await?;
    stage = Stage {
        _folder,
        config,
        clock,
        collector,
    };
    let (address, audience) = (stage.collector.intake_address(), mine.audience);
    let mut again = Liar::connect(1, address, audience).await?;
    ensure!(
        again.withdraw(withdrawal.clone()).await? == outcome,
        "the same bytes"
    );
    let kept = limits::ERASURE_KEPT_SECONDS;
    let end = erasure.erased_at.plus_seconds(kept);
    for (now, expected) in [(end.plus_seconds(-1), outcome), (end, unknown)] {
        stage.clock.set(now);
        stage.collector.tick().await?;
        ensure!(
            again.withdraw(withdrawal.clone()).await? == expected,
            "at {now}"
        );
    }
    let metrics = stage.collector.metrics();
    ensure!(metrics[&Counter::ErasuresForgotten] == 1, "{metrics:?}");
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_have_somebody_else_forgotten() -> Result<()> {
    let stage = Stage::set().await?;
    let (mut mine, mut other) = (stage.home(1).await?, stage.home(2).await?);
    report(&mut mine, 3, 1).await?;
    let honest = mine.withdrawal(7);
    let sealed = |payload_type, payload: &[u8], key: &SigningKey| {
        SealedBatch::seal(payload_type, payload.to_vec(), key)
    };
    let mut elsewhere = mine.twin();
    elsewhere.audience = Audience::new([6; 32]);
    let mut altered = honest.clone();
    altered.payload[40] ^= 1;
    let mut wasteful = honest.payload.clone();
    wasteful.extend([0xc0, 0x3e, 0x01]);
    let stranger = SigningKey::from_seed(&[9; 32]);
    let lies = [
        (
            sealed(PayloadType::Withdraw, &honest.payload, &other.key),
            Reject::WrongHome,
        ),
        (
            sealed(PayloadType::Withdraw, &honest.payload, &stranger),
            Reject::UnknownKey,
        ),
        (elsewhere.withdrawal(7), Reject::WrongAudience),
        (altered, Reject::BadSignature),
        (
            sealed(PayloadType::Withdraw, &wasteful, &mine.key),
            Reject::NotCanonical,
        ),
        (
            sealed(PayloadType::Withdraw, &[], &mine.key),
            Reject::Malformed,
        ),
        (
            sealed(PayloadType::Batch, &honest.payload, &mine.key),
            Reject::UnknownType,
        ),
        (mine.rotation(&stranger), Reject::UnknownType),
    ];
    for (lie, reason) in lies {
        let outcome = other.withdraw(lie).await?;
        ensure!(
            outcome == Outcome::Refused(reason),
            "{reason:?}: {outcome:?}"
        );
    }
    ensure!(stage.rows()? == 3, "nothing is gone");
    let metrics = stage.collector.metrics();
    ensure!(metrics[&Counter::BatchesErased] == 0, "{metrics:?}");
    ensure!(
        is_receipt(&mine.withdraw(honest.clone()).await?),
        "but by its own wish"
    );

    // Somebody who caught its messages cannot bring it back: the invite is spent.
    let invite = stage.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
    ensure!(is_receipt(&mine.enrol(&invite).await?), "it begins anew");
    report(&mut mine, 2, 50).await?;
    ensure!(
        is_receipt(&mine.withdraw(honest).await?),
        "an old wish is only answered again"
    );
    ensure!(stage.rows()? == 2, "and does nothing");
    mine.withdraw(mine.withdrawal(8)).await?;
    let outcome = mine.enrol(&invite).await?;
    ensure!(
        outcome == Outcome::Refused(Reject::InvalidInvite),
        "{outcome:?}"
    );
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_does_not_come_back() -> Result<()> {
    let stage = Stage::set().await?;
    let mut received = 0;
    for seed in 1..=6_u8 {
        let mut home = stage.home(seed).await?;
        let mut under_way = JoinSet::new();
        for number in 0..12_u8 {
            let mut twin = home.twin();
            under_way.spawn(async move {
                // Each three batches; some before the withdrawal, some beside it, some after.
                let outcomes = report(&mut twin, 3, number * 3).await?;
                anyhow::Ok((outcomes, twin))
            });
            if number == 5 {
                let (mut twin, sealed) = (home.twin(), home.withdrawal(seed));
                under_way.spawn(async move {
                    // Busy only means: again.
                    let mut outcome = twin.withdraw(sealed.clone()).await;
                    for _ in 0..20 {
                        if outcome.is_ok() {
                            break;
                        }
                        outcome = twin.withdraw(sealed.clone()).await;
                    }
                    anyhow::Ok((vec![outcome?], twin))
                });
            }
        }
        while let Some(ended) = under_way.join_next().await {
            let (outcomes, _) = ended??;
            for outcome in outcomes {
                let is_fine =
                    is_receipt(&outcome) || outcome == Outcome::Refused(Reject::UnknownKey);
                ensure!(is_fine, "{outcome:?}");
                received += 1;
            }
        }
        ensure!(stage.rows()? == 0, "home {seed}: all of it is gone");
        let outcomes = report(&mut home, 1, 100).await?;
        ensure!(
            outcomes[0] == Outcome::Refused(Reject::UnknownKey),
            "{outcomes:?}"
        );
    }
    let metrics = stage.collector.metrics();
    let erased = metrics[&Counter::BatchesErased];
    ensure!(erased == metrics[&Counter::BatchesAccepted], "{metrics:?}");
    ensure!(received == 6 * 37, "{received} outcomes");
    ensure!(metrics[&Counter::WithdrawalsAccepted] == 6, "{metrics:?}");
    stage.collector.stop().await;
    Ok(())
}

/// Thirty homes of which six leave, and twenty-four: the release says the same, to the byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_week_released_later_is_as_if_the_homes_had_never_been() -> Result<()> {
    let week = week()?;
    // Six, because numbers are rounded to five: that they are gone must show.
    let is_leaver = |number: u32| number % 5 == 2;
    let mut releases = Vec::new();
    for leave in [true, false] {
        let mut homes = population::homes(population::SEED, 30);
        homes.retain(|home| leave || !is_leaver(home.number));
        let mut world = World::begin(homes, week, None).await?;
        world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
        let with = folded(&world, week).await?;
        for resident in &mut world.homes {
            let agent = &mut resident.agent;
            if is_leaver(agent.home.number) {
                let mut out = Vec::new();
                withdraw(&mut agent.environment, None, &mut out).await?;
                let out = String::from_utf8(out)?;
                ensure!(out.contains(&format!("of {week}")), "{out}");
                ensure!(
                    files(&agent.state)? == ["erasure", "lock"],
                    "nothing else is left"
                );
            }
        }
        ensure!(
            leave != (with == folded(&world, week).await?),
            "who left had been counted"
        );
        world.close(week).await?;
        let release = world.releases().await?.pop().context("a release")?;
        releases.push(json::to_json(&release));
        world.end().await;
    }
    ensure!(releases[0] == releases[1], "the same release");
    Ok(())
}

async fn folded(world: &World, week: Week) -> Result<String> {
    let ground = world.ground().await?;
    let release = ground.weeks(ground.keys()).fold(week, 2).await?;
    Ok(json::to_json(&release))
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_released_stays_and_what_is_not_final_goes() -> Result<()> {
    let stage = Stage::set().await?;
    let mut homes = Vec::new();
    for seed in 1..=3 {
        let mut home = stage.home(seed).await?;
        report(&mut home, 5, 1).await?;
        homes.push(home);
    }
    let week = week()?;
    stage.clock.set(closes_at(week));
    ensure!(stage.collector.tick().await?.len() == 1, "released");
    let released = stage.collector.weeks().releases().await?;
    // Closed and released, but not final: the batches go, the release stays, and is not revised.
    let wish = homes[0].withdrawal(1);
    let outcome = homes[0].withdraw(wish).await?;
    let erasure = stage.read(&outcome)?;
    ensure!(
        (erasure.batches, erasure.weeks) == (5, vec![week]),
        "of the released week"
    );
    ensure!(stage.rows()? == 10, "only that home's");
    ensure!(stage.collector.tick().await?.is_empty(), "no revision");
    ensure!(
        stage.collector.weeks().releases().await? == released,
        "as it was"
    );
    // Final: there is nothing left to erase.
    stage.clock.set(destroyed_at(week));
    stage.collector.tick().await?;
    let wish = homes[1].withdrawal(1);
    let outcome = homes[1].withdraw(wish).await?;
    let erasure = stage.read(&outcome)?;
    ensure!(
        (erasure.batches, erasure.weeks.len()) == (0, 0),
        "nothing was held"
    );
    ensure!(
        stage.collector.weeks().releases().await? == released,
        "as it was"
    );
    stage.collector.stop().await;
    Ok(())
}
