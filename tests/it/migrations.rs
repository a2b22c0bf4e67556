//! Databases of every past schema: opened, they hold what they held; a newer one is left alone, and so is
//! one that cannot be brought on.
//!
//! `tests/data/schemas` holds what each past version left, with rows of every kind. Their bytes are
//! SHA-256 of what they stand for, so that this file can say what must be found.

use anyhow::{Context, Result, ensure};
use phonehome_collector::store::{
    Appended, Attempt, BatchToken, EnrolAttempt, Enrolled, HomeToken, LedgerRow, Slice, Standing,
    Store, StoreError, WeekState,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::{Day, Timestamp, Week};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Homes in every dump; the last has replaced its key from schema 2 on.
const HOMES: u32 = 5;

/// Batches of each home in a week.
const BATCHES: u32 = 2;

/// The third week's Monday: the first is final, the second released, the third closed, the last open.
const THIRD: u32 = 20_409;

const STATES: [WeekState; 4] = [
    WeekState::Final,
    WeekState::Released,
    WeekState::Closed,
    WeekState::Open,
];

/// What stands for something in a dump.
fn hash(name: &str) -> Hash {
    Hash::of(name.as_bytes())
}

fn key(home: u32) -> [u8; 32] {
    *hash(&format!("key/{home}")).as_bytes()
}

fn week(number: u32) -> Result<Week> {
    let monday = Day::new(THIRD - 14 + 7 * number).context("a day of this century")?;
    Ok(monday.week())
}

/// Dumps by version.
fn dumps() -> Result<BTreeMap<u32, String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/schemas");
    let mut dumps = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().context("a name")?.to_string_lossy();
        let version = name.strip_prefix("schema_").context("schema_N.sql")?;
        dumps.insert(version.parse()?, fs::read_to_string(&path)?);
    }
    Ok(dumps)
}

/// The file that a past version left in `folder`.
fn left(folder: &Path, dump: &str) -> Result<PathBuf> {
    let path = folder.join("collector.db");
    let database = Connection::open(&path)?;
    database.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;")?;
    database.execute_batch(dump)?;
    Ok(path)
}

fn version(path: &Path) -> Result<u32> {
    let database = Connection::open(path)?;
    Ok(database.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Tables and indexes with their columns, as the engine describes them.
fn shape(path: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let database = Connection::open(path)?;
    let list = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'";
    let mut names = database.prepare(list)?;
    let names = names
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, String)>, _>>()?;
    let mut shape = BTreeMap::new();
    for (kind, name) in names {
        let ask = match kind.as_str() {
            "table" => format!(
                "SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || pk || ' ' || \
                 coalesce(dflt_value, '') FROM pragma_table_info('{name}')"
            ),
            _ => format!("SELECT name FROM pragma_index_info('{name}')"),
        };
        let mut columns = database.prepare(&ask)?;
        let columns = columns.query_map([], |row| row.get(0))?;
        let mut columns = columns.collect::<Result<Vec<String>, _>>()?;
        columns.sort();
        shape.insert(format!("{kind} {name}"), columns);
    }
    Ok(shape)
}

#[tokio::test]
async fn every_past_schema_has_a_dump_and_ends_as_a_new_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let fresh = folder.path().join("fresh.db");
    drop(Store::open(&fresh, true).await?);
    let newest = version(&fresh)?;
    let dumps = dumps()?;
    let versions: Vec<u32> = dumps.keys().copied().collect();
    ensure!(
        versions == (1..newest).collect::<Vec<_>>(),
        "one dump for each schema before {newest}: {versions:?}"
    );
    for (past, dump) in &dumps {
        let folder = tempfile::tempdir()?;
        let path = left(folder.path(), dump)?;
        ensure!(version(&path)? == *past, "it is what it says");
        drop(Store::open(&path, false).await?);
        ensure!(version(&path)? == newest, "schema {past} is brought on");
        ensure!(
            shape(&path)? == shape(&fresh)?,
            "schema {past} becomes the newest"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_a_past_version_held_is_held() -> Result<()> {
    for (past, dump) in dumps()? {
        let folder = tempfile::tempdir()?;
        let path = left(folder.path(), &dump)?;
        let store = Store::open(&path, false).await?;
        registry(&store, past)
            .await
            .with_context(|| format!("schema {past}"))?;
        weeks(&store, past)
            .await
            .with_context(|| format!("schema {past}"))?;
        journal(&store, past)
            .await
            .with_context(|| format!("schema {past}"))?;
    }
    Ok(())
}

async fn registry(store: &Store, past: u32) -> Result<()> {
    let homes = store.homes(None).await?;
    ensure!(u32::try_from(homes.len())? == HOMES, "{homes:?}");
    for home in 0..HOMES {
        let (key, id) = (key(home), HomeId::of_key(&key(home)));
        let row = homes
            .iter()
            .find(|row| row.home == id)
            .context("it is listed")?;
        ensure!(row.enrolled.number() == THIRD - 20 + home, "{row:?}");
        // What a home could be before there was another word for it.
        let standing = match (past, home) {
            (3.., 1) => Standing::Admitted {
                counted_from: Day::new(THIRD),
            },
            (3.., 2) => Standing::Pending,
            (3.., 3) => Standing::Revoked,
            _ => Standing::Admitted { counted_from: None },
        };
        ensure!(row.standing == standing, "{row:?}");
        let is_rotated = past >= 2 && home == HOMES - 1;
        ensure!(row.keys == 1 + u32::from(is_rotated), "{row:?}");
        let known = store.keys(vec![Hash::of(&key)]).await?[0].context("its key is known")?;
        ensure!(known.home == id && known.key == key, "{known:?}");
        ensure!(known.last_day.is_some() == is_rotated, "{known:?}");
        let again = store.enrol(enrolment(home, None)).await?;
        let expected = match (standing, is_rotated) {
            (Standing::Revoked, _) => Enrolled::Revoked,
            (_, true) => Enrolled::Retired,
            _ => Enrolled::Repeated(hash(&format!("receipt/{home}")).as_bytes().repeat(3)),
        };
        ensure!(again == expected, "home {home} enrols again: {again:?}");
    }
    for (invite, opens) in [(0, false), (1, false), (2, true)] {
        let new = enrolment(90 + invite, Some(hash(&format!("invite/{invite}"))));
        let enrolled = store.enrol(new).await?;
        ensure!(
            (enrolled == Enrolled::Fresh) == opens,
            "invite {invite}: {enrolled:?}"
        );
    }
    Ok(())
}

/// An enrolment at a time when the first invite of a dump has expired and the others have not.
fn enrolment(home: u32, invite_hash: Option<Hash>) -> EnrolAttempt {
    EnrolAttempt {
        home: HomeId::of_key(&key(home)),
        key: key(home),
        payload_hash: hash(&format!("enrolment/{home}")),
        invite_hash,
        uninvited: None,
        crowds: Vec::new(),
        months: [Day::LAST, Day::LAST],
        receipt: vec![1; 100],
        now: Timestamp::from_seconds(1_763_500_000),
    }
}

async fn weeks(store: &Store, past: u32) -> Result<()> {
    let rows = store.weeks().await?;
    ensure!(rows.len() == STATES.len(), "{rows:?}");
    for ((number, row), state) in (0..).zip(&rows).zip(STATES) {
        ensure!(row.week == week(number)? && row.state == state, "{row:?}");
        ensure!(row.key_check == hash(&format!("check/{number}")), "{row:?}");
        let erasures = if past >= 2 { number } else { 0 };
        ensure!(row.erasures == erasures, "{row:?}");
    }
    let releases = store.releases().await?;
    ensure!(releases.len() == 2, "{releases:?}");
    for (number, release) in (0..).zip(&releases) {
        let monday = week(number)?.monday().number();
        ensure!(
            release.week == week(number)? && release.revision == 0,
            "{release:?}"
        );
        ensure!(
            release.text == format!("{{\"week\":{monday}}}\n"),
            "{release:?}"
        );
        let signature = hash(&format!("signature/{number}")).as_bytes().repeat(2);
        ensure!(release.signature[..] == signature, "{release:?}");
    }
    let ledger = store.ledger().await?;
    ensure!(
        ledger.len() == 4 && ledger[3].event == "closed 2025-W46",
        "{ledger:?}"
    );
    for pair in ledger.windows(2) {
        let follows = LedgerRow::follow(Some(&pair[0]), pair[1].at, pair[1].event.clone());
        ensure!(pair[1] == follows, "{pair:?}");
    }
    Ok(())
}

async fn journal(store: &Store, past: u32) -> Result<()> {
    for number in 0..4 {
        let rows = store
            .journal_page(week(number)?, Slice::WHOLE, None, usize::MAX)
            .await?;
        let expected = if number == 0 { 0 } else { HOMES * BATCHES };
        ensure!(
            u32::try_from(rows.len())? == expected,
            "week {number}: {} rows",
            rows.len()
        );
        for home in 0..HOMES {
            for batch in 0..BATCHES {
                if number == 0 {
                    continue;
                }
                let token = HomeToken(*hash(&format!("home token/{number}/{home}")).as_bytes());
                let name = format!("{number}/{home}/{batch}");
                let row = rows.iter().find(|row| {
                    row.home == token
                        && row.batch == BatchToken(*hash(&format!("batch token/{name}")).as_bytes())
                });
                let row = row.context("the row is there")?;
                ensure!(
                    row.payload_hash == hash(&format!("payload/{name}")),
                    "{row:?}"
                );
                let sealed = hash(&format!("sealed/{name}"));
                let blocks = 4 + usize::try_from(batch)?;
                ensure!(row.sealed == sealed.as_bytes().repeat(blocks), "{row:?}");
                ensure!(row.origin.is_some() == (home % 3 < 2), "{row:?}");
                let on_probation = past >= 3 && home == 1 && number < 2;
                ensure!(row.is_on_probation == on_probation, "{row:?}");
                // A repetition is known as one.
                let look = Attempt::Look {
                    week: week(number)?,
                    home: row.home,
                    batch: row.batch,
                    payload_hash: row.payload_hash,
                };
                let found = store.append(vec![look]).await?;
                ensure!(found == [Appended::Repeated(row.clone())], "{found:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("collector.db");
    drop(Store::open(&path, true).await?);
    let newest = version(&path)?;
    Connection::open(&path)?.pragma_update(None, "user_version", newest + 1)?;
    let before = fs::read(&path)?;
    let refused = Store::open(&path, false).await.err().context("refused")?;
    ensure!(
        matches!(refused, StoreError::Newer { found, known } if found == newest + 1 && known == newest),
        "{refused:?}"
    );
    ensure!(
        refused
            .to_string()
            .contains("this version knows only up to"),
        "{refused}"
    );
    ensure!(fs::read(&path)? == before, "not a byte of it changed");
    Ok(())
}

#[tokio::test]
async fn a_migration_that_cannot_end_changes_nothing() -> Result<()> {
    for (past, dump) in dumps()? {
        let folder = tempfile::tempdir()?;
        let path = left(folder.path(), &dump)?;
        // In the way of a later step.
        let next = if past < 2 { "withdrawals" } else { "places" };
        if past >= 3 {
            continue;
        }
        Connection::open(&path)?.execute_batch(&format!("CREATE TABLE {next} (obstacle TEXT)"))?;
        let before = shape(&path)?;
        ensure!(
            Store::open(&path, false).await.is_err(),
            "schema {past} does not open"
        );
        ensure!(version(&path)? == past, "and stays schema {past}");
        ensure!(shape(&path)? == before, "with every column it had");
        Connection::open(&path)?.execute_batch(&format!("DROP TABLE {next}"))?;
        let store = Store::open(&path, false).await?;
        let homes = store.homes(None).await?.len();
        ensure!(u32::try_from(homes)? == HOMES, "then it is brought on");
    }
    Ok(())
}
