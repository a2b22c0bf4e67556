//! `phonehome-demo`: the whole observatory in one command. Arguments and exit codes; nothing else.

use clap::Parser;
use phonehome_agent::run::Failure;
use phonehome_collector::config::ConfigError;
use phonehome_collector::run::RunError;
use phonehome_tests::demo::{self, HOMES, HOMES_MAX, Options, WEEKS_MAX};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Synthetic homes, their agents, a collector and its published release, in one process: an
/// exercise that shows every stage at work.
#[derive(Parser)]
#[command(name = "phonehome-demo", version)]
struct Arguments {
    /// Synthetic homes
    #[arg(long, value_name = "N", default_value_t = HOMES,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(HOMES_MAX)))]
    homes: u32,
    /// Weeks they live through
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(WEEKS_MAX)))]
    weeks: u32,
    /// A capture of yours that is a home of its own; may be given several times
    #[arg(long = "capture", value_name = "FILE")]
    captures: Vec<PathBuf>,
    /// Publish and end; bind no fixed port
    #[arg(long)]
    once: bool,
    /// Where the release folders go
    #[arg(long, value_name = "DIR", default_value = "target/phonehome-demo")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let Arguments {
        homes,
        weeks,
        captures,
        once,
        out,
    } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let options = Options {
        homes,
        weeks,
        captures,
        once,
        out,
    };
    let ran = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(demo::run(&options, &mut io::stdout())));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the one sentence a person gets")]
            {
                eprintln!("phonehome-demo: {error:#}");
            }
            ExitCode::from(code_of(&error))
        }
    }
}

/// Whoever reads the output has seen enough, as with `head`.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<io::Error>().is_some_and(broken)
}

/// 64 bad configuration, 65 bad input, 69 unavailable.
fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<RunError>() {
        error.exit_code()
    } else if let Some(failure) = error.downcast_ref::<Failure>() {
        failure.exit().code()
    } else if error.downcast_ref::<ConfigError>().is_some() {
        64
    } else {
        69
    }
}
