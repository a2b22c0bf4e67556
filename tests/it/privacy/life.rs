//! A collector's eventful life, and what its log says of anybody: nothing.
//!
//! Homes with addresses of their own enrol in each of the three ways, report, lie, rotate, are revoked and
//! withdraw; strangers pretend to be proxies and flood the door; the operator backs up, restores, moves the
//! store to a server; databases refuse, fill up and go away. Addresses, names, keys and tokens of all of them
//! are looked for in everything that was logged, and in every sentence that a failed command prints, which
//! lands in the same journal.

use super::finds_nothing;
use super::log::Log;
use anyhow::{Context as _, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::run::commands::agents::{self, HomeDigits, Listing};
use phonehome_collector::run::commands::{self, Format, Restore};
use phonehome_collector::run::ground::Ground;
use phonehome_collector::run::{Handle, RunError};
use phonehome_collector::weeks::{closes_at, destroyed_at};
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::BatchId;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::time::{Clock, ManualClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::search::Search;
use phonehome_tests::servers::PostgresServer;
use phonehome_tests::traffic::home::Secret;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Homes by seed, each at its address.
const HOMES: [(u8, &str); 4] = [
    (211, "2001:db8:3:7a1:d1a2:b3c4:d5e6:f701"),
    (212, "2001:db8:4:7a2:d1a2:b3c4:d5e6:f702"),
    (213, "198.51.100.213"),
    (214, "203.0.113.214"),
];

/// The key that the first home changes to.
const NEXT_SEED: u8 = 219;

/// Whom a stranger pretends to speak for.
const PRETENDED: &str = "192.0.2.77";

/// A collector and its operator, and what both said.
struct Life {
    folder: TempDir,
    config: PathBuf,
    clock: ManualClock,
    /// Of homes whose proxy on this machine names them.
    is_forwarded: bool,
    secrets: Vec<Secret>,
    /// What commands would have printed when they failed.
    sentences: String,
}

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

impl Life {
    fn begin(mode: &str, is_forwarded: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, None)?;
        let named =
            "tls = false\nforwarded_by = ['127.0.0.1']\nforwarded_header = 'x-forwarded-for'\n";
        let named = if is_forwarded { named } else { "" };
        let text = fs::read_to_string(&config)?
            .replace("proxies = []", &format!("proxies = []\n{named}"))
            .replace("[enrolment]", &format!("[enrolment]\nmode = \"{mode}\""));
        fs::write(&config, text)?;
        let mut life = Self {
            folder,
            config,
            clock: ManualClock::new(week()?.end().plus_seconds(12 * 3_600)),
            is_forwarded,
            secrets: Vec::new(),
            sentences: String::new(),
        };
        let addresses = HOMES.iter().map(|(_, address)| *address);
        for address in addresses.chain([PRETENDED]) {
            let raw = match address.parse::<IpAddr>()? {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            life.secret("address", raw);
            life.secret("address as text", address.as_bytes().to_vec());
        }
        for seed in HOMES.map(|(seed, _)| seed).into_iter().chain([NEXT_SEED]) {
            let key = SigningKey::from_seed(&[seed; 32]);
            let home = key.public().home();
            life.secret("key", key.public().as_bytes().to_vec());
            life.secret("home", home.as_bytes().to_vec());
            life.secret(
                "home's first digits",
                home.to_hex().as_bytes()[..12].to_vec(),
            );
        }
        Ok(life)
    }

    fn secret(&mut self, kind: &'static str, bytes: Vec<u8>) {
        self.secrets.push(Secret { kind, bytes });
    }

    fn say(&mut self, said: impl Display) {
        self.sentences.push_str(&format!("{said}\n"));
    }

    async fn start(&self, beginning: u64) -> Result<Handle> {
        world::start(&self.config, &self.clock, beginning).await
    }

    async fn ground(&self) -> Result<Ground> {
        let chance = SharedChance::new(SeededChance::new(9));
        Ok(Ground::open(Config::load(&self.config)?, chance).await?)
    }

    async fn home(&self, collector: &Handle, number: usize) -> Result<Liar> {
        let (seed, address) = HOMES[number];
        let audience = collector.key().audience();
        let mut liar = Liar::connect(seed, collector.intake_address(), audience).await?;
        if self.is_forwarded {
            liar.headers = vec![("x-forwarded-for", address.to_owned())];
        }
        Ok(liar)
    }

    /// Invites, whose tokens are secrets.
    async fn invites(&mut self, collector: &Handle, count: u32) -> Result<Vec<Invite>> {
        let invites = collector.invite(count, "127.0.0.1:4317").await?;
        for invite in &invites {
            self.secret("token", invite.token_bytes().to_vec());
            self.secret("invite", invite.to_string().into_bytes());
        }
        Ok(invites)
    }

    /// Honest batches and every kind of lie; what became of them is not what this is about.
    async fn report(&self, home: &mut Liar) -> Result<()> {
        let day = week()?.monday();
        let honest = home.sealed(home.header(day, 1));
        let mut forged = honest.clone();
        forged.signature[3] ^= 1;
        let early = home.sealed(home.header(week()?.next().monday().plus(6), 2));
        let mut conflict = home.header(day.plus(1), 9);
        conflict.batch_id = BatchId::new([1; 16]);
        let conflict = home.sealed(conflict);
        let nothing = home.seal(b"no batch at all".to_vec());
        let batches = vec![honest.clone(), honest, forged, early, conflict, nothing];
        // A collector whose store fails gives no answer.
        let _ = home.submit(batches).await;
        Ok(())
    }

    /// Looks for everybody in all that was said; and shows that it would have been found.
    fn end(self, log: &Log) -> Result<()> {
        let search = Search::new(&self.secrets);
        finds_nothing(&search, "sentences", self.sentences.as_bytes())?;
        let logged = log.text();
        ensure!(
            logged.contains("phonehome_collector"),
            "something was logged"
        );
        finds_nothing(&search, "log", logged.as_bytes())?;
        // What this very process logs is in it; and each would have been found there.
        tracing::trace!("the log is listened to");
        ensure!(log.text().contains("the log is listened to"));
        let leaks = self
            .secrets
            .iter()
            .map(|secret| phonehome_proto::id::to_hex(&secret.bytes));
        let leaks: String = leaks
            .map(|digits| format!("leak digits={digits}\n"))
            .collect();
        let found = search.in_bytes(leaks.as_bytes()).into_iter();
        let found: BTreeSet<usize> = found.map(|found| found.secret).collect();
        ensure!(
            found.len() == self.secrets.len(),
            "each would have been found"
        );
        Ok(())
    }
}

/// Strangers at the door: a PROXY v2 header, a forwarded one, and many that speak something else.
async fn strangers(collector: &Handle, home: &mut Liar) -> Result<()> {
    let address = collector.intake_address();
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    let IpAddr::V4(pretended) = PRETENDED.parse()? else {
        anyhow::bail!("an IPv4 address");
    };
    header.extend(pretended.octets());
    header.extend([127, 0, 0, 1, 0x10, 0x00, 0x10, 0xdd]);
    TcpStream::connect(address)
        .await?
        .write_all(&header)
        .await?;
    home.headers = vec![("forwarded", format!("for={PRETENDED}"))];
    let day = week()?.monday();
    let refused = home.submit(vec![home.sealed(home.header(day, 1))]).await;
    ensure!(refused.is_err(), "a stranger's header is refused");
    home.headers.clear();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await?;
        let text = format!("GET / HTTP/1.1\r\nx-forwarded-for: {PRETENDED}\r\n\r\n");
        let _ = stream.write_all(text.as_bytes()).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_tells_nothing_of_whoever_came_by_invite_left_or_came_back() -> Result<()> {
    let log = Log::listen();
    let mut life = Life::begin("invite", true)?;
    let collector = life.start(0).await?;
    let invites = life.invites(&collector, 4).await?;
    for (number, invite) in invites.iter().enumerate() {
        let mut home = life.home(&collector, number).await?;
        let everybody = Invite {
            token: None,
            ..invite.clone()
        };
        home.enrol(&everybody).await?;
        home.enrol(invite).await?;
        home.enrol(invite).await?;
        life.report(&mut home).await?;
    }
    let mut first = life.home(&collector, 0).await?;
    let next = SigningKey::from_seed(&[NEXT_SEED; 32]);
    first.rotate(first.rotation(&next)).await?;
    first
        .rotate(first.rotation(&SigningKey::from_seed(&[HOMES[1].0; 32])))
        .await?;
    let second = life
        .home(&collector, 1)
        .await?
        .home
        .to_hex()
        .parse::<HomeDigits>()?;
    agents::revoke(&life.ground().await?, &[second], life.clock.now()).await?;
    life.report(&mut life.home(&collector, 1).await?).await?;
    let mut third = life.home(&collector, 2).await?;

    // Backed up, and put back after one has left; before that, put there by hand.
    let file = life.folder.path().join("backup");
    commands::backup(&life.ground().await?, &file, life.clock.now()).await?;
    let withdrawal = third.withdrawal(1);
    third.withdraw(withdrawal.clone()).await?;
    third.withdraw(withdrawal).await?;
    collector.stop().await;
    let settings = Config::load(&life.config)?;
    let clock = life.clock.clone();
    let restore = async |links| -> Result<String, RunError> {
        let request = Restore {
            file: file.clone(),
            links,
        };
        Ok(commands::restore(&settings, &request, clock.now())
            .await?
            .text)
    };
    life.say(restore(None).await.err().context("there is a database")?);
    fs::remove_dir_all(&settings.data_dir)?;
    life.say(
        restore(Some(99))
            .await
            .err()
            .context("a ledger too short")?,
    );
    let said = restore(None).await?;
    life.say(said);

    // No room is left; then the week's key is gone; then the week is over.
    let mut collector = life.start(1).await?;
    collector.ground().store.limit_growth(Some(0)).await?;
    let mut fourth = life.home(&collector, 3).await?;
    for number in 100..=255 {
        let mut batches = Vec::new();
        for day in week()?.days() {
            let mut header = fourth.header(day, number);
            header.batch_id = BatchId::new([number ^ u8::try_from(day.number() % 7)?; 16]);
            batches.push(fourth.sealed(header));
        }
        if fourth.submit(batches).await.is_err() {
            break;
        }
    }
    let failure = collector.failed().await;
    ensure!(failure.to_string().contains("full"), "{failure}");
    life.say(failure);
    collector.stop().await;
    let key = settings.keys_dir.join(format!("{}.key", week()?));
    fs::rename(&key, settings.keys_dir.join("aside"))?;
    let collector = life.start(2).await?;
    life.report(&mut life.home(&collector, 3).await?).await?;
    let _ = collector.tick().await;
    fs::rename(settings.keys_dir.join("aside"), &key)?;
    for time in [closes_at(week()?), destroyed_at(week()?)] {
        life.clock.set(time);
        if let Err(error) = collector.tick().await {
            life.say(error);
        }
    }
    collector.stop().await;
    life.end(&log)
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_of_whoever_waited_for_a_word_or_came_by_himself_or_pretended() -> Result<()> {
    let log = Log::listen();
    for mode in ["approval", "open"] {
        let mut life = Life::begin(mode, false)?;
        let collector = life.start(0).await?;
        let mut invite = life.invites(&collector, 1).await?.remove(0);
        invite.token = None;
        for number in 0..HOMES.len() {
            let mut home = life.home(&collector, number).await?;
            home.enrol(&invite).await?;
            life.report(&mut home).await?;
            strangers(&collector, &mut home).await?;
        }
        let ground = life.ground().await?;
        let digits = life.home(&collector, 0).await?.home.to_hex();
        agents::approve(&ground, &[digits.parse()?]).await?;
        agents::list(&ground, Listing::default(), Format::Json, life.clock.now()).await?;
        life.report(&mut life.home(&collector, 0).await?).await?;
        collector.stop().await;
        life.end(&log)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn nor_do_a_servers_errors_tell_it() -> Result<()> {
    let mut postgres = PostgresServer::start(&[]);
    postgres.ask("postgres", "CREATE DATABASE collector");
    let log = Log::listen();
    let mut life = Life::begin("invite", true)?;
    let collector = life.start(0).await?;
    let invites = life.invites(&collector, 4).await?;
    for (number, invite) in invites.iter().enumerate().take(3) {
        let mut home = life.home(&collector, number).await?;
        home.enrol(invite).await?;
        life.report(&mut home).await?;
    }
    collector.stop().await;
    let url = postgres.url("collector");
    let settings = Config::load(&life.config)?;
    let moved = commands::migrate(&settings, &url, None, None).await?.text;
    ensure!(moved.contains("acceptance was paused for"), "{moved}");
    life.say(moved);
    life.say(life.start(1).await.err().context("it has moved")?);
    let text = fs::read_to_string(&life.config)?;
    fs::write(&life.config, text + &format!("[store]\nurl = \"{url}\"\n"))?;

    // A column that takes no such value, and says which: the home itself, and its token.
    let collector = life.start(2).await?;
    let quotes = "ALTER TABLE TABLE ADD CHECK (encode(COLUMN, 'hex')::integer > 0) NOT VALID";
    for (table, column) in [("homes", "home"), ("journal", "home_token")] {
        let quotes = quotes.replace("ALTER TABLE TABLE", &format!("ALTER TABLE {table}"));
        postgres.ask("collector", &quotes.replace("COLUMN", column));
    }
    let mut fourth = life.home(&collector, 3).await?;
    ensure!(
        fourth.enrol(&invites[3]).await.is_err(),
        "the server refuses"
    );
    let mut first = life.home(&collector, 0).await?;
    let sealed = first.sealed(first.header(week()?.monday().plus(2), 7));
    ensure!(
        first.submit(vec![sealed]).await.is_err(),
        "the server refuses"
    );
    let keys = collector.ground().keys();
    let key = keys.existing(week()?)?.context("the week's key")?;
    let (token, home) = (key.home_token(first.home), fourth.home);
    life.secret("token of a home", token.0.to_vec());
    ensure!(
        log.text().contains("22"),
        "the server's code is logged: {home:?}"
    );
    collector.stop().await;

    let collector = life.start(3).await?;
    postgres.kill();
    life.report(&mut life.home(&collector, 0).await?).await?;
    if let Err(error) = collector.tick().await {
        life.say(error);
    }
    collector.stop().await;
    life.end(&log)
}
