//! `inspect` beside Debian's `ndpiReader` and beside nothing but reading, on the same file.
//!
//! A *bare read* is `read(2)` in steps of 64 KiB from the file's beginning to its end, into one buffer. The
//! file lies in memory: so it is the kernel's copying and nothing else, faster than any disk. The *record
//! walk* is our own reader with nobody behind it: what frames cost before a single header is looked at.
//! Packets a second are by the wall clock; beside them stands processor time, which other programs on
//! the machine disturb less.

use super::child::{self, Used, measure, median};
use super::corpus::{self, Corpus};
use anyhow::Result;
use phonehome_agent::capture::Event;
use phonehome_agent::capture::file::FileSource;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Of each program: the middle one's wall time and peak, and all their processor time.
const RUNS: u32 = 21;
/// Beside ndpiReader's packets a second, at least.
const NDPI_RATIO_MIN: f64 = 2.0;
/// Beside a bare read's speed, at least.
const READ_RATIO_MIN: f64 = 0.5;
const STEP_BYTES: usize = 64 * 1_024;

/// What is measured, in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    BareRead,
    RecordWalk,
    Inspect,
    Ndpi,
}

/// Measures, and prints a table.
pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let corpus = corpus::write(folder.path())?;
    println!(
        "inspect: {} packets, {} MB, {RUNS} runs of each",
        corpus.packets,
        corpus.bytes / 1_000_000
    );
    let programs = [
        Program::BareRead,
        Program::RecordWalk,
        Program::Inspect,
        Program::Ndpi,
    ];
    let is_there =
        |program: &Program| *program != Program::Ndpi || child::is_installed("ndpiReader");
    let programs: Vec<Program> = programs.into_iter().filter(is_there).collect();
    println!(
        "  {:<14}{:>12}{:>10}{:>13}{:>11}",
        "", "packets/s", "wall", "processor", "peak"
    );
    let measured = rounds(&programs, &corpus, folder.path())?;
    let find = |program: Program| {
        let found = measured.iter().find(|(of, _)| *of == program);
        found.map(|(_, used)| *used)
    };
    let Some(ours) = find(Program::Inspect) else {
        return Ok(());
    };
    match find(Program::Ndpi) {
        Some(ndpi) => {
            println!(
                "  beside ndpiReader, at least {NDPI_RATIO_MIN}: {}",
                ratio(&ours, &ndpi)
            );
            println!(
                "  peak memory beside ndpiReader, less: {} and {}",
                mebibytes(ours.peak_bytes),
                mebibytes(ndpi.peak_bytes)
            );
        }
        None => println!("  ndpiReader is not installed (Debian: libndpi-bin): nothing to compare"),
    }
    if let Some(bare) = find(Program::BareRead) {
        println!(
            "  beside a bare read, at least {READ_RATIO_MIN}: {}",
            ratio(&ours, &bare)
        );
    }
    if let Some(walk) = find(Program::RecordWalk) {
        println!("  beside the record walk: {}", ratio(&ours, &walk));
    }
    Ok(())
}

/// How often the packets a second of the other.
fn ratio(ours: &Used, others: &Used) -> String {
    let wall = others.wall.as_secs_f64() / ours.wall.as_secs_f64();
    let processor = others.processor.as_secs_f64() / ours.processor.as_secs_f64();
    format!("{wall:.2} by the clock, {processor:.2} by processor time")
}

/// Reads the file and looks at nothing.
pub(crate) fn read_bare(file: &Path) -> Result<()> {
    let (mut file, mut buffer) = (File::open(file)?, vec![0; STEP_BYTES]);
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Walks from record to record.
pub(crate) fn walk(file: &Path) -> Result<()> {
    let mut source = FileSource::open(file)?;
    while !matches!(source.next(), Event::End) {}
    Ok(())
}

/// The programs take turns, so that a busy moment is nobody's alone.
fn rounds(programs: &[Program], corpus: &Corpus, folder: &Path) -> Result<Vec<(Program, Used)>> {
    read_bare(&corpus.path)?;
    let mut all: Vec<Vec<Used>> = vec![Vec::new(); programs.len()];
    for _ in 0..RUNS {
        for (program, runs) in programs.iter().zip(&mut all) {
            runs.push(measure(&mut program.command(corpus, folder)?)?);
        }
    }
    let told = programs.iter().zip(all).map(|(program, runs)| {
        let used = Used {
            wall: median(runs.iter().map(|used| used.wall)),
            // Told in such coarse steps that only many of them say something.
            processor: runs.iter().map(|used| used.processor).sum::<Duration>() / RUNS,
            peak_bytes: median(runs.iter().map(|used| used.peak_bytes)),
        };
        println!(
            "  {:<14}{:>12.0}{:>8.3} s{:>11.3} s{:>11}",
            program.name(),
            corpus.packets as f64 / used.wall.as_secs_f64(),
            used.wall.as_secs_f64(),
            used.processor.as_secs_f64(),
            mebibytes(used.peak_bytes)
        );
        (*program, used)
    });
    Ok(told.collect())
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

// === impl Program ===

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::BareRead => "bare read",
            Self::RecordWalk => "record walk",
            Self::Inspect => "inspect",
            Self::Ndpi => "ndpiReader",
        }
    }

    fn command(self, corpus: &Corpus, folder: &Path) -> Result<Command> {
        let mut command = match self {
            Self::BareRead => child::own(child::AS_READER)?,
            Self::RecordWalk => child::own(child::AS_WALKER)?,
            Self::Inspect => {
                let mut agent = child::agent()?;
                agent.arg("--state").arg(folder.join("state"));
                agent.arg("inspect");
                agent
            }
            Self::Ndpi => {
                let mut ndpi = Command::new("ndpiReader");
                ndpi.args(["-q", "-i"]);
                ndpi
            }
        };
        command.arg(&corpus.path);
        Ok(command)
    }
}
