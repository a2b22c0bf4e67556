//! Coverage: how often the truth about a simulated population lies within what is published of it.
//!
//! The figures that a method is judged by, and beside them those of two methods that it is not: the
//! same seeds, so that every difference is the method's. A test holds the first to its limit.

use anyhow::Result;
use phonehome_tests::simulation::coverage::Coverage;
use phonehome_tests::simulation::router::Circular;
use phonehome_tests::simulation::run::{Method, runs};
use phonehome_tests::simulation::server::Databases;

const RUNS: u64 = 1_000;

/// Simulates, and prints.
pub(crate) fn run() -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let circular = Method {
        circular: Circular::Counted,
        ..Method::AS_BUILT
    };
    let one = Method {
        databases: Databases::Worse,
        ..Method::AS_BUILT
    };
    for (what, method) in [
        ("coverage as built", Method::AS_BUILT),
        (
            "coverage if phones known by their contacts were counted",
            circular,
        ),
        ("coverage with one database, wrong about some prefixes", one),
    ] {
        println!(
            "\n{what}: {}",
            Coverage::of(&runs(0..RUNS, method, threads)?)
        );
    }
    Ok(())
}
