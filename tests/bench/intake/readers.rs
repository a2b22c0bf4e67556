//! Readers, while homes report: one table of any week, and a year's weeks one after the other.

use super::load::now;
use crate::child;
use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::run::ground::Ground;
use phonehome_collector::store::{ReleaseRow, Stored};
use phonehome_proto::id::Hash;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::Week;
use phonehome_tests::simulation::dice::Dice;
use phonehome_tests::simulation::home::Home;
use phonehome_tests::simulation::population::Population;
use phonehome_tests::simulation::run::{Method, publish};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Weeks that are released.
const WEEKS: usize = 52;

/// Tables that are asked for.
const TABLES: usize = 400;

/// Years that are read.
const YEARS: usize = 20;

/// How long readers waited, sorted.
pub(super) struct Waits {
    tables: Vec<Duration>,
    years: Vec<Duration>,
}

/// Puts a year of releases into a collector's store, those of the weeks before `week`.
pub(super) async fn release(ground: &Ground, week: Week) -> Result<()> {
    let mut dice = Dice::new(7);
    let population = Population::draw(&mut dice);
    let homes: Vec<Home> = (0..population.homes)
        .filter_map(|_| Home::draw(&population, &mut dice))
        .collect();
    let mut release = publish(&population, &homes, Method::AS_BUILT, &mut dice)?.release;
    release.purpose = Purpose::Exercise;
    for week in weeks(week) {
        let now = phonehome_collector::weeks::closes_at(week);
        release.id = ReleaseId { week, revision: 0 };
        let text = json::to_json(&release);
        let signature = ground.identity.sign_release(&text);
        ground.store.open_week(week, Hash::of(b"gone")).await?;
        ground.store.close_week(week, now).await?;
        let row = ReleaseRow {
            week,
            revision: 0,
            text,
            signature,
        };
        let stored = ground.store.release_week(row, 0, now).await?;
        ensure!(stored == Stored::Fresh, "it is released");
        ground.store.destroy_week(week, now).await?;
    }
    Ok(())
}

/// Reads tables and years over one connection that stays open.
pub(super) async fn read(address: SocketAddr, week: Week) -> Result<Waits> {
    let weeks = weeks(week);
    let mut dice = Dice::new(8);
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut waits = Waits {
        tables: Vec::new(),
        years: Vec::new(),
    };
    for _ in 0..TABLES {
        let (by, week) = (
            dice.one_of(&["server", "network", "owner"]),
            dice.one_of(&weeks),
        );
        let start = now();
        get(&mut stream, &format!("/v1/matrix?by={by}&week={week}")).await?;
        waits.tables.push(now() - start);
    }
    for _ in 0..YEARS {
        let start = now();
        for week in &weeks {
            get(&mut stream, &format!("/v1/vendors/xiaomi?week={week}")).await?;
        }
        waits.years.push(now() - start);
    }
    waits.tables.sort_unstable();
    waits.years.sort_unstable();
    Ok(waits)
}

impl Waits {
    /// Prints the middle and the 99th of a hundred.
    pub(super) fn print(&self) {
        for (what, waits, most) in [
            ("a table", &self.tables, 5),
            ("a year's weeks", &self.years, 50),
        ] {
            let middle = child::median(waits.iter().copied());
            let most_of_them = waits[(waits.len() * 99 / 100).min(waits.len() - 1)];
            println!(
                "    meanwhile {what} over HTTP: {:.1} ms (middle), {:.1} ms (99 of 100; at most {most})",
                middle.as_secs_f64() * 1e3,
                most_of_them.as_secs_f64() * 1e3
            );
        }
    }
}

/// The year before `week`.
fn weeks(week: Week) -> Vec<Week> {
    let mut day = week.monday();
    let mut weeks = Vec::new();
    for _ in 0..WEEKS {
        // Eight days back is always the week before.
        for _ in 0..7 {
            day = day.previous();
        }
        weeks.push(day.week());
    }
    weeks
}

async fn get(stream: &mut TcpStream, path: &str) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let body_at = loop {
        let mut bytes = vec![0; 16 * 1024];
        let read = stream.read(&mut bytes).await?;
        ensure!(read > 0, "the answer was cut off");
        answer.extend_from_slice(&bytes[..read]);
        if let Some(at) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&answer[..body_at]).to_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "{path}: {head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .context("a length")?;
    let mut rest = (body_at + length.parse::<usize>()?).saturating_sub(answer.len());
    while rest > 0 {
        let mut bytes = vec![0; rest.min(64 * 1024)];
        let read = stream.read(&mut bytes).await?;
        ensure!(read > 0, "the answer was cut off");
        rest -= read;
    }
    Ok(())
}
