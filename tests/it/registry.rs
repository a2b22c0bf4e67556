//! Who may report: three ways in, the operator's word, and what one place and one home may ask.
//!
//! Over real gRPC, against a collector at work. Homes speak through a proxy on this machine that ends
//! TLS and names their addresses, where these matter.

mod forwarded;
mod limits;

use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::metrics::Counter;
use phonehome_collector::run::Handle;
use phonehome_collector::run::commands::agents::{self, HomeDigits, Listing, State};
use phonehome_collector::run::commands::{self, Format, Found};
use phonehome_collector::run::ground::Ground;
use phonehome_collector::weeks::{closes_at, destroyed_at};
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::HomeId;
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Clock, Day, ManualClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A collector, its clock, and where its files lie.
struct Stage {
    folder: TempDir,
    config: PathBuf,
    clock: ManualClock,
    collector: Handle,
}

/// Homes come through a proxy on this machine that ends TLS and names them.
const NAMED: &str =
    "tls = false\nforwarded_by = ['127.0.0.1']\nforwarded_header = 'x-forwarded-for'\n";

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

/// The Tuesday after, on which everything begins.
fn today() -> Result<Day> {
    Ok(week()?.next().monday().plus(1))
}

impl Stage {
    /// A collector with these lines under `[intake]`, and these tables instead of the exercise's
    /// `[enrolment]`.
    async fn set(intake: &str, tables: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, None)?;
        let text = fs::read_to_string(&config)?;
        let (head, rest) = text.split_once("[enrolment]").context("the exercise's")?;
        let (_, tail) = rest.split_once("[http]").context("a table")?;
        let head = head.replace("proxies = []", &format!("proxies = []\n{intake}"));
        fs::write(&config, format!("{head}{tables}\n[http]{tail}"))?;
        let clock = ManualClock::new(today()?.start().plus_seconds(12 * 3_600));
        let collector = world::start(&config, &clock, 0).await?;
        Ok(Self {
            folder,
            config,
            clock,
            collector,
        })
    }

    /// A home that has not asked for anything yet.
    async fn stranger(&self, seed: u8) -> Result<Liar> {
        let audience = self.collector.key().audience();
        Liar::connect(seed, self.collector.intake_address(), audience).await
    }

    /// The same, whose requests a proxy says to come from `address`.
    async fn stranger_at(&self, seed: u8, address: &str) -> Result<Liar> {
        let mut liar = self.stranger(seed).await?;
        liar.headers = vec![("x-forwarded-for", address.to_owned())];
        Ok(liar)
    }

    /// A home that an invite has let in.
    async fn home(&self, seed: u8) -> Result<Liar> {
        let mut liar = self.stranger(seed).await?;
        let invite = self.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
        ensure!(is_receipt(&liar.enrol(&invite).await?), "it is in");
        Ok(liar)
    }

    /// The invite for everybody.
    fn for_everybody(&self) -> Invite {
        Invite {
            authority: "127.0.0.1:4317".to_owned(),
            collector_key: self.collector.key(),
            token: None,
        }
    }

    /// What a command sees that runs beside the collector, in a process of its own.
    async fn ground(&self) -> Result<Ground> {
        let chance = SharedChance::new(SeededChance::new(9));
        Ok(Ground::open(Config::load(&self.config)?, chance).await?)
    }

    async fn list(&self, listing: Listing) -> Result<Found> {
        let ground = self.ground().await?;
        Ok(agents::list(&ground, listing, Format::Table, self.clock.now()).await?)
    }

    /// One number out of the database.
    fn count(&self, sql: &str) -> Result<i64> {
        let database = rusqlite::Connection::open(Config::load(&self.config)?.database())?;
        Ok(database.query_row(sql, [], |row| row.get(0))?)
    }

    fn rows(&self) -> Result<i64> {
        self.count("SELECT count(*) FROM journal")
    }

    /// Does `act`, after which exactly these counters must have moved.
    async fn moves<T>(
        &self,
        act: impl AsyncFnOnce() -> Result<T>,
        counts: &[(Counter, u64)],
    ) -> Result<T> {
        let before = self.collector.metrics();
        let done = act().await?;
        // Of the door and of requests others tell; what is forgotten by and by is the clock's doing.
        let is_told = |counter: &Counter| {
            let name = counter.name();
            !["_requests_", "_connections_", "_forgotten_"]
                .iter()
                .any(|part| name.contains(part))
                || matches!(counter, Counter::RequestsMisforwarded(_))
        };
        let after = self.collector.metrics();
        let moved = after
            .into_iter()
            .map(|(counter, now)| (counter, now - before[&counter]));
        let moved: BTreeMap<Counter, u64> = moved
            .filter(|(counter, by)| *by > 0 && is_told(counter))
            .collect();
        let expected: BTreeMap<Counter, u64> = counts.iter().copied().collect();
        ensure!(moved == expected, "{moved:?} and not {expected:?}");
        Ok(done)
    }
}

const fn is_receipt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Receipt(_))
}

const fn refused(reject: Reject) -> Outcome {
    Outcome::Refused(reject)
}

fn digits(liar: &Liar) -> Result<HomeDigits> {
    Ok(short(liar.home).parse()?)
}

fn short(home: HomeId) -> String {
    home.to_hex()[..12].to_owned()
}

/// One batch of a day; what becomes of it.
async fn report(liar: &mut Liar, day: Day, number: u8) -> Result<Outcome> {
    let sealed = liar.sealed(liar.header(day, number));
    liar.submit(vec![sealed])
        .await?
        .pop()
        .context("one outcome")
}

/// Whether any file in a folder, or in one below it, holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, bytes)?
        } else {
            let file = fs::read(&path)?;
            file.windows(bytes.len()).any(|window| window == bytes)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_invite_nobody_comes_in_by_default() -> Result<()> {
    let stage = Stage::set("", "").await?;
    let mut liar = stage.stranger(1).await?;
    ensure!(liar.manifest().await?.enrolment == EnrolmentMode::Invite);
    let ask = async || liar.enrol(&stage.for_everybody()).await;
    let counts = [
        (Counter::EnrolmentsReceived, 1),
        (Counter::EnrolmentsRejected(Reject::InvalidInvite), 1),
    ];
    let outcome = stage.moves(ask, &counts).await?;
    ensure!(outcome == refused(Reject::InvalidInvite), "{outcome:?}");
    ensure!(stage.count("SELECT count(*) FROM homes")? == 0);
    let printed = agents::invite_everybody(&stage.ground().await?);
    ensure!(printed.is_finding, "{}", printed.text);
    // One invite for three homes, made beside the running collector.
    let order = phonehome_collector::registry::InviteOrder {
        count: 1,
        uses: 3,
        days: 2,
    };
    let ground = stage.ground().await?;
    let printed = agents::invite(&ground, order, stage.clock.now()).await?;
    let invite: Invite = printed.text.trim_end().parse()?;
    for seed in 1..=3 {
        let outcome = stage.stranger(seed).await?.enrol(&invite).await?;
        ensure!(is_receipt(&outcome), "{seed}: {outcome:?}");
    }
    let outcome = stage.stranger(4).await?.enrol(&invite).await?;
    ensure!(outcome == refused(Reject::InvalidInvite), "{outcome:?}");
    ensure!(
        !holds(stage.folder.path(), invite.token_bytes())?,
        "the token is kept nowhere"
    );
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_approval_a_home_waits_for_the_operators_word() -> Result<()> {
    let stage = Stage::set("", "[enrolment]\nmode = 'approval'").await?;
    let mut liar = stage.stranger(1).await?;
    ensure!(liar.manifest().await?.enrolment == EnrolmentMode::Approval);
    let public: Invite = agents::invite_everybody(&stage.ground().await?)
        .text
        .trim_end()
        .parse()?;
    ensure!(public.collector_key == stage.collector.key() && public.token.is_none());
    ensure!(is_receipt(&liar.enrol(&public).await?), "it is on the list");
    let yesterday = today()?.previous();
    let counts = [
        (Counter::BatchesReceived, 1),
        (Counter::BatchesRejected(Reject::NotApproved), 1),
    ];
    let waits = async || report(&mut liar, yesterday, 1).await;
    let outcome = stage.moves(waits, &counts).await?;
    ensure!(outcome == refused(Reject::NotApproved), "{outcome:?}");
    ensure!(!Reject::NotApproved.is_final() && stage.rows()? == 0);
    // With an invite of its own nobody waits.
    let mut invited = stage.home(2).await?;
    ensure!(is_receipt(&report(&mut invited, yesterday, 1).await?));

    let pending = Listing {
        state: Some(State::Pending),
        ..Listing::default()
    };
    let listed = stage.list(pending).await?.text;
    ensure!(
        listed.contains(&short(liar.home)) && !listed.contains(&short(invited.home)),
        "{listed}"
    );
    let nobody = "0123456789".parse()?;
    let ground = stage.ground().await?;
    let said = agents::approve(&ground, &[digits(&liar)?, nobody]).await?;
    ensure!(
        said.is_finding && said.text.contains("nothing was changed"),
        "{}",
        said.text
    );
    ensure!(report(&mut liar, yesterday, 1).await? == refused(Reject::NotApproved));
    let said = agents::approve(&ground, &[digits(&liar)?, digits(&invited)?]).await?;
    ensure!(
        said.text
            == format!(
                "{}: approved\n{}: was in before\n",
                short(liar.home),
                short(invited.home)
            ),
        "{}",
        said.text
    );
    // The same bytes that were refused are taken.
    ensure!(is_receipt(&report(&mut liar, yesterday, 1).await?));
    ensure!(stage.rows()? == 2);

    // Who waits for too long is forgotten.
    let mut late = stage.stranger(3).await?;
    ensure!(is_receipt(&late.enrol(&public).await?));
    let first = Listing {
        limit: 1,
        ..Listing::default()
    };
    let page = stage.list(first).await?.text;
    let (_, next) = page
        .split_once("more: --after ")
        .context("there are two more")?;
    let rest = Listing {
        after: Some(next.trim_end().parse()?),
        ..Listing::default()
    };
    let rest = stage.list(rest).await?.text;
    ensure!(
        page.lines().count() == 3 && rest.lines().count() == 3,
        "{page}{rest}"
    );
    stage.clock.set(today()?.plus(61).start());
    stage.collector.tick().await?;
    ensure!(stage.collector.metrics()[&Counter::PendingForgotten] == 1);
    let listed = stage.list(Listing::default()).await?.text;
    ensure!(
        !listed.contains(&short(late.home)) && listed.contains(&short(liar.home)),
        "{listed}"
    );
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_open_the_first_seven_days_count_in_nothing() -> Result<()> {
    let stage = Stage::set("", "[enrolment]\nmode = 'open'").await?;
    let mut liar = stage.stranger(1).await?;
    ensure!(liar.manifest().await?.enrolment == EnrolmentMode::Open);
    ensure!(is_receipt(&liar.enrol(&stage.for_everybody()).await?));
    let listed = stage.list(Listing::default()).await?.text;
    let first = today()?.plus(7);
    ensure!(
        listed.contains(&format!("counts from {first} on")),
        "{listed}"
    );

    // Tuesday, the eighth day: Monday is the seventh.
    stage.clock.set(first.plus(2).start());
    let trial = report(&mut liar, first.previous(), 1).await?;
    ensure!(is_receipt(&trial), "{trial:?}");
    ensure!(is_receipt(&report(&mut liar, first, 2).await?));
    let again = report(&mut liar, first.previous(), 1).await?;
    ensure!(again == trial, "the same receipt");
    ensure!(stage.rows()? == 2);
    let held = "SELECT count(*) FROM journal WHERE on_probation = 1 AND country IS NULL";
    ensure!(stage.count(held)? == 1);
    let listed = stage.list(Listing::default()).await?.text;
    ensure!(listed.contains("admitted"), "{listed}");
    stage.clock.set(closes_at(first.week()));
    stage.collector.tick().await?;
    ensure!(stage.collector.metrics()[&Counter::RowsOnProbation] == 1);
    // Destroyed with all the others.
    stage.clock.set(destroyed_at(first.week()));
    stage.collector.tick().await?;
    ensure!(stage.rows()? == 0);
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_home_is_out_and_stays_out() -> Result<()> {
    let stage = Stage::set("", "").await?;
    let (mut mine, mut other) = (stage.home(1).await?, stage.home(2).await?);
    let mut traces = Vec::new();
    for home in [&mut mine, &mut other] {
        for (number, day) in (1..).zip(week()?.days()) {
            ensure!(is_receipt(&report(home, day, number).await?));
        }
    }
    for (number, day) in (1..).zip(week()?.days()) {
        let sealed = mine.sealed(mine.header(day, number));
        traces.push(phonehome_proto::id::Hash::of(&sealed.payload));
    }
    let data = stage.folder.path().join("data");
    ensure!(
        holds(&data, traces[0].as_bytes())?,
        "the search finds what is there"
    );
    stage.clock.set(closes_at(week()?));
    stage.collector.tick().await?;
    let monday = week()?.next().monday();
    ensure!(is_receipt(&report(&mut mine, monday, 50).await?));
    ensure!(stage.rows()? == 15);

    let ground = stage.ground().await?;
    let said = agents::revoke(&ground, &[digits(&mine)?], stage.clock.now()).await?;
    let expected = format!("{}: revoked; batches erased: 8\n", short(mine.home));
    ensure!(
        said.text.starts_with(&expected) && !said.is_finding,
        "{}",
        said.text
    );
    ensure!(
        said.text.contains("release 2026-W46 --revise"),
        "{}",
        said.text
    );
    ensure!(stage.rows()? == 7, "the other home's are there");
    for trace in &traces {
        ensure!(
            !holds(&data, trace.as_bytes())?,
            "nothing of it is in any file"
        );
    }

    // Whatever it tries, it is told so for good, and nothing is stored.
    let revoked = refused(Reject::Revoked);
    ensure!(Reject::Revoked.is_final());
    let counts = [
        (Counter::BatchesReceived, 1),
        (Counter::BatchesRejected(Reject::Revoked), 1),
    ];
    let again = async || report(&mut mine, monday, 50).await;
    ensure!(stage.moves(again, &counts).await? == revoked);
    let invite = stage.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
    ensure!(
        mine.enrol(&invite).await? == revoked,
        "the invite is for another"
    );
    ensure!(is_receipt(&stage.stranger(3).await?.enrol(&invite).await?));
    let rotation = mine.rotation(&SigningKey::from_seed(&[9; 32]));
    ensure!(mine.rotate(rotation).await? == revoked);
    let withdrawal = mine.withdrawal(1);
    ensure!(mine.withdraw(withdrawal).await? == revoked);
    ensure!(stage.rows()? == 7);
    let said = agents::revoke(&ground, &[digits(&mine)?], stage.clock.now()).await?;
    ensure!(said.text.contains("was revoked before"), "{}", said.text);
    let said = agents::approve(&ground, &[digits(&mine)?]).await?;
    ensure!(
        said.is_finding && said.text.contains("for good"),
        "{}",
        said.text
    );
    let json = agents::list(&ground, Listing::default(), Format::Json, stage.clock.now()).await?;
    let json: serde_json::Value = serde_json::from_str(&json.text)?;
    let home = mine.home.to_hex();
    let row = json["homes"]
        .as_array()
        .context("rows")?
        .iter()
        .find(|row| row["home"] == home.as_str());
    ensure!(row.is_some_and(|row| row["state"] == "revoked"), "{json}");

    // The ledger tells it, and of whom it does not.
    let ledger = ground.store.ledger().await?;
    let events: Vec<&str> = ledger.iter().map(|row| row.event.as_str()).collect();
    ensure!(
        events.contains(&"revoked 1 2026-W46 2026-W47"),
        "{events:?}"
    );
    // A reason to look again, though one home changes no cell that anybody is shown.
    let said = commands::revise(&ground, week()?, stage.clock.now()).await?;
    ensure!(
        said.text.contains("no cell changed by as many homes"),
        "{}",
        said.text
    );
    stage.collector.stop().await;
    Ok(())
}
