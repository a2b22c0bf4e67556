//! What the agent costs: printed beside its limits, never a test that a busy machine could fail.
//!
//! `cargo bench -p phonehome-tests` measures everything, `... -- inspect` or `... -- memory` one part.
//! `PHONEHOME_AGENT` names an agent to measure, such as one made small for a router; without it this
//! program plays the agent itself, with the same code in a process of its own.
//!
//! ```text
//! memory    what a full house takes in memory, and what a daemon takes that waits
//! identification   right, unknown and wrong makers on captures whose truth is known
//! inspect   packets a second, processor time and peak memory, beside ndpiReader and a bare read
//! coverage  how often published intervals hold the truth, over a thousand simulated populations
//! fold      time and memory to fold and release a week, and how both grow with the homes
//! publish   time and memory to publish a release in all its formats
//! intake    batches a second from gRPC to a durable receipt, beside bare checks, decodings and appends
//! ```
//!
//! How many instructions a packet takes is no business of a bench, and valgrind tells it:
//!
//! ```text
//! CARGO_PROFILE_RELEASE_DEBUG=line-tables-only cargo build --release -p phonehome-agent
//! valgrind --tool=callgrind target/release/phonehome-agent inspect --all --format jsonl FILE > /dev/null
//! callgrind_annotate --inclusive=yes callgrind.out.*
//! ```

#![allow(clippy::print_stdout, reason = "a bench prints what it has measured")]

mod child;
mod corpus;
mod coverage;
mod fold;
mod inspect;
mod intake;
mod memory;
mod publish;

use anyhow::Result;
use clap::Parser;
use phonehome_agent::cli::Arguments;
use phonehome_agent::run::Environment;
use phonehome_agent::state;
use phonehome_tests::identification::{self, Addresses};
use std::path::Path;

fn main() -> Result<()> {
    // Cargo itself says `--bench`.
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [child::AS_AGENT, arguments @ ..] => play_agent(arguments),
        [child::AS_READER, file] => inspect::read_bare(Path::new(file)),
        [child::AS_WALKER, file] => inspect::walk(Path::new(file)),
        [child::AS_FOLDER, folder] => fold::fold(Path::new(folder)),
        [child::AS_PUBLISHER] => publish::publish(None),
        [child::AS_PUBLISHER, out] => publish::publish(Some(Path::new(out))),
        [child::AS_COLLECTOR, config] => intake::collector::play(Path::new(config)),
        parts => {
            let is_wanted = |part: &str| parts.is_empty() || parts.contains(&part);
            // First: memory that was used and given back hides what a house takes.
            if is_wanted("memory") {
                memory::run()?;
            }
            if is_wanted("identification") {
                print_identification()?;
            }
            if is_wanted("inspect") {
                inspect::run()?;
            }
            if is_wanted("coverage") {
                coverage::run()?;
            }
            if is_wanted("intake") {
                intake::run()?;
            }
            if is_wanted("fold") {
                fold::run()?;
            }
            if is_wanted("publish") {
                publish::run()?;
            }
            Ok(())
        }
    }
}

/// Prints how well makers are told, with MAC prefixes and without.
fn print_identification() -> Result<()> {
    for addresses in [Addresses::AsCaptured, Addresses::Masked] {
        if let Some(score) = identification::score(addresses)? {
            println!("identification, {addresses}: {score}");
        }
    }
    Ok(())
}

/// Does what the agent's own `main` does.
fn play_agent(arguments: &[&str]) -> Result<()> {
    let program = ["phonehome-agent"].into_iter();
    let arguments = Arguments::parse_from(program.chain(arguments.iter().copied()));
    let config = arguments.config()?;
    let configured = config.as_ref().map(|config| config.state_dir.clone());
    let asked = arguments.state.clone().or(configured);
    let mut environment = Environment::system(state::folder(asked, |name| std::env::var_os(name))?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut err = std::io::stderr();
    runtime.block_on(arguments.run(&mut environment, config.as_ref(), &mut out, &mut err))?;
    Ok(())
}
