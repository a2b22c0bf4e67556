//! Killed while it brings an old database on.

use crate::process::{Site, below, now, pause};
use anyhow::{Result, ensure};
use phonehome_proto::chance::SeededChance;
use rusqlite::{Connection, params};
use std::fs;

const SCHEMA_1: &str = include_str!("../data/schemas/schema_1.sql");

/// Rows that a step has to touch, so that there is something to interrupt.
const INVITES: u32 = 60_000;

/// Times a process is killed over the same file.
const KILLS: u32 = 12;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute"]
async fn a_migration_killed_at_any_point_happened_whole_or_not_at_all() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let site = Site::prepare(&folder.path().join("begun"))?;
    old_database(&site).await?;

    let whole = site.copy_to(&folder.path().join("whole"))?;
    let start = now();
    let mut process = whole.start()?;
    whole.ready(&mut process).await?;
    let takes = now().duration_since(start);
    ensure!(process.stop().await?.success(), "told to, it ends well");
    let expected = contents(&whole)?;
    ensure!(expected.version > 1, "it was brought on");
    ensure!(
        expected.rows == contents(&site)?.rows,
        "with everything in it"
    );

    let mut dice = SeededChance::new(11);
    for kill in 0..KILLS {
        let site = site.copy_to(&folder.path().join(format!("killed-{kill}")))?;
        let mut process = site.start()?;
        pause(below(&mut dice, takes)).await;
        process.kill()?;
        let between = contents(&site.copy_to(&folder.path().join(format!("between-{kill}")))?)?;
        ensure!(
            between.version == 1 || between == expected,
            "kill {kill}: whole or not at all: {between:?}"
        );
        ensure!(
            between.rows == expected.rows,
            "kill {kill}: nothing is lost: {between:?}"
        );
        let mut process = site.start()?;
        site.ready(&mut process).await?;
        ensure!(process.stop().await?.success(), "told to, it ends well");
        ensure!(
            contents(&site)? == expected,
            "kill {kill}: then it is as if nothing had been"
        );
    }
    Ok(())
}

/// A database of schema 1 that belongs to the collector of this place, with many invites.
async fn old_database(site: &Site) -> Result<()> {
    site.make(1).await?;
    let path = site.settings()?.database();
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        let removed = fs::remove_file(name);
        ensure!(!suffix.is_empty() || removed.is_ok(), "the new one is gone");
    }
    let mut database = Connection::open(&path)?;
    database.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;")?;
    database.execute_batch(SCHEMA_1)?;
    // Weeks whose keys nobody has are not what this is about.
    database.execute_batch("DELETE FROM weeks; DELETE FROM journal; DELETE FROM releases;")?;
    let audience = site.audience()?;
    let own = "UPDATE collector SET audience = ?1";
    ensure!(
        database.execute(own, params![audience.as_bytes()])? == 1,
        "it has an owner"
    );
    let transaction = database.transaction()?;
    {
        let mut add = transaction.prepare("INSERT INTO invites VALUES (?1, ?2, 0)")?;
        for number in 0..INVITES {
            let hash = phonehome_proto::id::Hash::of(&number.to_be_bytes());
            add.execute(params![hash.as_bytes(), i64::from(u32::MAX)])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// What tells whether a database is whole.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    version: u32,
    /// Names of all tables and indexes.
    names: String,
    /// Homes, keys, links of the ledger, and invites that are good.
    rows: [u32; 4],
}

fn contents(site: &Site) -> Result<Contents> {
    let database = Connection::open(site.settings()?.database())?;
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(check == "ok", "{check}");
    let count = |table: &str| -> Result<u32> {
        Ok(
            database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })?,
        )
    };
    let far = "invites WHERE expires_at = 4294967295";
    Ok(Contents {
        version: database.query_row("PRAGMA user_version", [], |row| row.get(0))?,
        names: database.query_row(
            "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY name)",
            [],
            |row| row.get(0),
        )?,
        rows: [
            count("homes")?,
            count("keys")?,
            count("ledger")?,
            count(far)?,
        ],
    })
}
