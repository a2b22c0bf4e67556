//! After a week's key is destroyed nothing of its homes can be read: not in the database, its
//! write-ahead log or its free pages, not in a backup that was made before, not in what was logged,
//! published or put aside.
//!
//! Everything that was written of every batch is looked for in every byte of every file, raw, reversed,
//! as hex and as base64. The same search finds it where it must be, before.

use crate::process::Site;
use crate::weeks::overdue;
use anyhow::{Context, Result, ensure};
use phonehome_collector::journal::week_key::WeekKey;
use phonehome_collector::run::commands;
use phonehome_collector::run::ground::Ground;
use phonehome_collector::secret_file;
use phonehome_collector::store::{JournalRow, Slice, Store};
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::id::{BatchId, Hash};
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{ManualClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::search::Search;
use phonehome_tests::traffic::home::Secret;
use phonehome_tests::world;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Homes that report; the first then leaves.
const HOMES: u8 = 6;

/// What was written of the week's homes.
struct Written {
    /// Never in clear, not even before: batch ids, receipts' signatures, what batches say.
    hidden: Vec<Secret>,
    /// In the database before, and meaningless without the key.
    veiled: Vec<Secret>,
    rows: Vec<JournalRow>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_destroyed_week_can_be_read() -> Result<()> {
    let week = overdue()?;
    let folder = tempfile::tempdir()?;
    let site = Site::prepare(folder.path())?;
    let config = fs::read_to_string(&site.config)?;
    fs::write(
        &site.config,
        format!("{config}\n[publish]\nout = \"published\"\n"),
    )?;
    let written = live(&site, week).await?;
    let backup = folder.path().join("backup");

    let key = site.settings()?.keys_dir.join(format!("{week}.key"));
    let opens = |row: &JournalRow, secret: &Path| -> Result<bool> {
        Ok(WeekKey::new(week, secret_file::read(secret)?)
            .open(row)
            .is_some())
    };
    ensure!(
        opens(&written.rows[0], &key)?,
        "as long as there is a key, whoever has it reads"
    );
    let data = site.settings()?.data_dir;
    for place in [&data, &backup] {
        finds_all(&written.veiled, place)?;
        finds_nothing(&written.hidden, place)?;
    }

    // The program does what is overdue as soon as it begins: it closes, releases and destroys.
    let mut process = site.start()?;
    site.ready(&mut process).await?;
    finds_nothing(&written.veiled, &data)?;
    ensure!(process.stop().await?.success(), "told to, it ends well");
    ensure!(site.log()?.contains("week destroyed"), "it was logged");
    let release = folder
        .path()
        .join(format!("published/{week}.0/release.json"));
    ensure!(release.exists(), "and published before");
    for place in files(folder.path())? {
        finds_nothing(&written.hidden, &place)?;
        if place != backup {
            finds_nothing(&written.veiled, &place)?;
        }
    }

    // The backup holds sealed rows still, and nothing that remains opens one or says whose it is.
    let secrets: BTreeSet<[u8; 32]> = files(folder.path())?
        .iter()
        .filter_map(|path| secret_file::read(path).ok())
        .map(|secret| *secret)
        .collect();
    ensure!(!secrets.is_empty(), "the identity is left");
    for secret in secrets {
        let key = WeekKey::new(week, Zeroizing::new(secret));
        let homes = (1..=HOMES).map(|seed| {
            let key = phonehome_proto::seal::SigningKey::from_seed(&[seed; 32]);
            key.public().home()
        });
        let tokens: BTreeSet<_> = homes.map(|home| key.home_token(home)).collect();
        for row in &written.rows {
            ensure!(
                key.open(row).is_none(),
                "a row opens with a key that is left"
            );
            ensure!(
                !tokens.contains(&row.home),
                "a token is told by a key that is left"
            );
        }
    }
    Ok(())
}

/// Homes report the week, one of them leaves, a backup is made.
async fn live(site: &Site, week: Week) -> Result<Written> {
    let clock = ManualClock::new(week.end().plus_seconds(3_600));
    let collector = world::start(&site.config, &clock, 0).await?;
    let (address, audience) = (collector.intake_address(), collector.key().audience());
    let invites = collector.invite(HOMES.into(), "127.0.0.1:4317").await?;
    let mut hidden = Vec::new();
    let mut leaver = None;
    for (seed, invite) in (1..).zip(invites) {
        let mut home = Liar::connect(seed, address, audience).await?;
        home.enrol(&invite).await?;
        for day in week.days() {
            let mut header = home.header(day, 0);
            let id = Hash::of(&[&[seed][..], &day.number().to_be_bytes()].concat());
            header.batch_id = BatchId::new(*id.as_bytes().first_chunk().context("16 bytes")?);
            let sealed = home.sealed(header);
            let outcome = home.submit(vec![sealed.clone()]).await?.remove(0);
            let Outcome::Receipt(receipt) = outcome else {
                anyhow::bail!("the batch is held: {outcome:?}")
            };
            hidden.extend([
                secret("batch id", &id.as_bytes()[..16]),
                secret("batch's signature", &sealed.signature),
                secret("receipt's signature", &receipt.signature),
                // From the header's end on: what the home saw.
                secret("observations", &sealed.payload[sealed.payload.len() - 48..]),
            ]);
        }
        leaver = leaver.or(Some(home));
    }
    let store = Store::open(&site.settings()?.database(), false).await?;
    let rows = store
        .journal_page(week, Slice::WHOLE, None, usize::MAX)
        .await?;
    let mut veiled = Vec::new();
    for row in &rows {
        veiled.extend([
            secret("home token", &row.home.0),
            secret("batch token", &row.batch.0),
            secret("payload hash", row.payload_hash.as_bytes()),
            secret("ciphertext", &row.sealed[..64]),
        ]);
    }
    let ground = Ground::open(site.settings()?, SharedChance::new(SystemChance)).await?;
    commands::backup(&ground, &site.folder.join("backup"), clock_now(week)).await?;
    let mut leaver = leaver.context("somebody reported")?;
    let gone = leaver.withdraw(leaver.withdrawal(1)).await?;
    ensure!(matches!(gone, Outcome::Receipt(_)), "it left: {gone:?}");
    let own = store
        .journal_page(week, Slice::WHOLE, None, usize::MAX)
        .await?;
    ensure!(own.len() + 7 == rows.len(), "with its seven days");
    // What the others' rows are veiled in is there until the week is destroyed.
    veiled.retain(|secret| own.iter().any(|row| is_of(row, secret)));
    drop((store, ground));
    collector.stop().await;
    Ok(Written {
        hidden,
        veiled,
        rows,
    })
}

fn is_of(row: &JournalRow, secret: &Secret) -> bool {
    let parts: [&[u8]; 4] = [
        &row.home.0,
        &row.batch.0,
        row.payload_hash.as_bytes(),
        &row.sealed[..64],
    ];
    parts.contains(&&secret.bytes[..])
}

fn clock_now(week: Week) -> phonehome_proto::time::Timestamp {
    week.end().plus_seconds(3_600)
}

fn secret(kind: &'static str, bytes: &[u8]) -> Secret {
    Secret {
        kind,
        bytes: bytes.to_vec(),
    }
}

fn finds_nothing(secrets: &[Secret], place: &Path) -> Result<()> {
    for file in files(place)? {
        let found = Search::new(secrets).in_bytes(&fs::read(&file)?);
        ensure!(found.is_empty(), "{}: {found:?}", file.display());
    }
    Ok(())
}

/// All of them, in one file or another; a page's end may cut a long one in two.
fn finds_all(secrets: &[Secret], place: &Path) -> Result<()> {
    let search = Search::new(secrets);
    let mut found = BTreeSet::new();
    for file in files(place)? {
        found.extend(
            search
                .in_bytes(&fs::read(&file)?)
                .into_iter()
                .map(|found| found.secret),
        );
    }
    for (number, secret) in secrets.iter().enumerate() {
        let is_whole = secret.bytes.len() <= 32;
        ensure!(
            !is_whole || found.contains(&number),
            "a {} would not have been found",
            secret.kind
        );
    }
    Ok(())
}

/// Every file at or below a path.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(path)? {
        all.extend(files(&entry?.path())?);
    }
    Ok(all)
}
