//! A collector on a clock that a test moves, in a process that the test can kill.
//!
//! `timed-collector CONFIG CLOCK` serves what CONFIG says. The time is what the file CLOCK says, in seconds
//! since 1970, whenever it is asked. It prints `serving`, then asks the week's clock at each line on its
//! standard input and prints the releases it made, or `failed` and why; it stops when its input ends, as
//! when the test that started it does.

use phonehome_collector::config::Config;
use phonehome_collector::run;
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::time::{Clock, Timestamp};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The time in a file.
struct Written(PathBuf);

impl Clock for Written {
    fn now(&self) -> Timestamp {
        let text = std::fs::read_to_string(&self.0).expect("the test writes the time");
        Timestamp::from_seconds(text.trim().parse().expect("seconds"))
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [config, clock] = words.as_slice() else {
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    let clock = Written(PathBuf::from(clock));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(serve(PathBuf::from(config), clock)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("failed {why}"));
            ExitCode::from(69)
        }
    }
}

async fn serve(config: PathBuf, clock: Written) -> Result<(), String> {
    let config = Config::load(&config).map_err(|error| error.to_string())?;
    let chance = SharedChance::new(SystemChance);
    let collector = run::serve(config, Arc::new(clock), chance).await;
    let mut collector = collector.map_err(|error| error.to_string())?;
    say("serving");
    let (heard, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if heard.send(line).is_err() {
                break;
            }
        }
    });
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                None => break,
                Some(_) => match collector.tick().await {
                    Ok(made) => say(&format!("made {made:?}")),
                    Err(error) => say(&format!("failed {error}")),
                },
            },
            error = collector.failed() => return Err(error.to_string()),
        }
    }
    collector.stop().await;
    Ok(())
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Whoever is gone needs no answer.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
