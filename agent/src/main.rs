//! The agent's process: arguments, log, exit code.

use clap::Parser;
use phonehome_agent::cli::Arguments;
use phonehome_agent::run::{Environment, Exit, Failure};
use phonehome_agent::state;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Says how much is logged to stderr: off, error, warn, info, debug or trace; goes before the
/// configuration.
const LOG_VARIABLE: &str = "PHONEHOME_LOG";

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let bug = format!("this is a mistake in phonehome-agent, at {place}; please report it");
        tell(&bug);
        // Also where a panic could be unwound: nothing sensible comes after one.
        std::process::exit(Exit::Bug.code().into());
    }));
    // Wrong arguments end here, with clap's explanation and exit code 2; help and version with 0.
    let arguments = Arguments::parse();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.exit() != Exit::ReaderGone {
                tell(&failure.to_string());
            }
            ExitCode::from(failure.exit().code())
        }
    }
}

fn start(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.config()?;
    start_log(
        config
            .as_ref()
            .map_or(LevelFilter::WARN, |config| config.log),
    )?;
    let configured = config.as_ref().map(|config| config.state_dir.clone());
    let asked = arguments.state.clone().or(configured);
    let folder = state::folder(asked, |name| std::env::var_os(name))?;
    let mut environment = Environment::system(folder);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut out = io::BufWriter::new(io::stdout());
    let mut err = io::stderr();
    let result =
        runtime.block_on(arguments.run(&mut environment, config.as_ref(), &mut out, &mut err));
    // What was written before a failure is still wanted.
    let flushed = out.flush();
    result?;
    Ok(flushed?)
}

/// Only our own words are logged: what libraries say at the finer levels nobody has looked over.
fn start_log(configured: LevelFilter) -> Result<(), Failure> {
    let level = match std::env::var(LOG_VARIABLE) {
        Err(_) => configured,
        Ok(word) => word.parse().map_err(|_| {
            let levels = "off, error, warn, info, debug or trace";
            Failure::new(
                Exit::BadConfig,
                format!("{LOG_VARIABLE} is none of {levels}"),
            )
        })?,
    };
    let ours = Targets::new()
        .with_target("phonehome_agent", level)
        .with_target("phonehome_proto", level);
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false);
    tracing_subscriber::registry()
        .with(to_stderr)
        .with(ours)
        .init();
    Ok(())
}

fn tell(sentence: &str) {
    // If nobody can be told, the exit code says enough.
    let _ = writeln!(io::stderr(), "phonehome-agent: {sentence}");
}
