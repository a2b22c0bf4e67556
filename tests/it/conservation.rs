//! In = out + each counted loss, at every stage, on captures of all kinds.

use anyhow::{Result, ensure};
use phonehome_agent::capture::CaptureError;
use phonehome_agent::run::world::{self, Unlisted, World};
use phonehome_tests::captures;
use phonehome_tests::traffic::{day, population};
use std::path::Path;

#[test]
fn nothing_is_lost_uncounted_in_others_captures() -> Result<()> {
    let Some(files) = captures::files("conservation") else { return Ok(()) };
    let mut frames = 0;
    for file in &files {
        // A file nothing can be read from gives nothing, and says why.
        if read(file).is_ok() {
            frames += balance(file)?;
        }
    }
    ensure!(frames > 1_000, "the captures were read: {frames} frames");
    Ok(())
}

#[test]
fn nothing_is_lost_in_a_synthetic_home() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("home.pcap");
    let home = &population::homes(population::SEED, 1)[0];
    let days = day::days_at_home(home, "2026-W46".parse()?);
    day::write(home, &days, day::Pace::QUIET, &file)?;
    balance(&file)?;
    let counts = read(&file)?.counts;
    ensure!(counts.capture.lost.total() == 0, "no frame is lost");
    ensure!(counts.packets.skipped.total() == 0, "every frame is a packet");
    Ok(())
}

/// Checks every stage's sum; gives the number of frames.
fn balance(file: &Path) -> Result<u64> {
    let world = read(file)?;
    let counts = &world.counts;
    let name = file.display();
    ensure!(counts.capture.frames == counts.packets.frames, "{name}: frames reach packet");
    let read = counts.packets.packets + counts.packets.skipped.total();
    ensure!(counts.packets.frames == read, "{name}: packets and skipped");
    ensure!(counts.packets.packets == counts.flows.packets, "{name}: packets reach flow");
    let listed: u64 = world.flows.iter().map(|seen| seen.flow.up.packets + seen.flow.down.packets).sum();
    let unlisted = counts.unlisted.of(Unlisted::Packets);
    ensure!(counts.flows.packets == listed + unlisted, "{name}: packets in flows");
    Ok(counts.capture.frames)
}

fn read(file: &Path) -> Result<World, CaptureError> {
    world::read(file, 7, &[7; 32], std::iter::empty())
}
