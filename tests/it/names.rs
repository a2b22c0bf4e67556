//! Names found in captures written by others, scored against what their own tool prints.
//!
//! The scoring is that of the captures' own script: a flow is found when one of our names for it is
//! the true one; precision is over the flows that both name.

use anyhow::{Context, Result, ensure};
use phonehome_agent::run::Environment;
use phonehome_agent::run::inspect::{self, Format, Inspect, screen::Screen};
use phonehome_tests::captures;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;

/// One flow, whichever end is called the client: capture, transport, ends in order.
type Key = (String, String, [String; 2]);

#[derive(Debug, Default)]
struct Score {
    flows: usize,
    hits: usize,
    wrong: Vec<String>,
    missed: Vec<String>,
}

impl Score {
    fn recall(&self) -> f64 {
        self.hits as f64 / self.flows as f64
    }
}

#[test]
fn names_are_found_and_never_wrong() -> Result<()> {
    let Some(files) = captures::files("names") else {
        return Ok(());
    };
    let inspect = Inspect {
        files,
        all: true,
        format: Format::Jsonl,
        geo: None,
        map: None,
        screen: Screen::PLAIN,
        lists: Vec::new(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir()?;
    let mut environment = Environment::system(folder.path().to_path_buf());
    inspect::run(&mut environment, &inspect, &mut out, &mut err)?;

    let mut found: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for line in std::str::from_utf8(&out)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        if let Some(name) = row["name"].as_str() {
            let end = |side: &str| {
                let port = row[format!("{side}_port")].as_u64().context("a port")?;
                Ok::<_, anyhow::Error>(format!("{}|{port}", text(&row, side)?))
            };
            let key = key(&row, [end("client")?, end("server")?])?;
            found.entry(key).or_default().insert(name.to_lowercase());
        }
    }

    let truth = captures::folder()
        .context("the folder was there")?
        .join("names.jsonl");
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for line in fs::read_to_string(truth)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let kind = text(&row, "kind")?;
        if !matches!(kind.as_str(), "TLS" | "QUIC") {
            continue;
        }
        let key = key(&row, [end(&text(&row, "a")?)?, end(&text(&row, "b")?)?])?;
        let name = text(&row, "name")?;
        let score = scores.entry(kind).or_default();
        score.flows += 1;
        let line = format!("{} {name}", key.0);
        match found.get(&key) {
            Some(names) if names.iter().any(|found| same(&name, found)) => score.hits += 1,
            Some(names) => score.wrong.push(format!("{line}: {names:?}")),
            None => score.missed.push(line),
        }
    }

    let (tls, quic) = (&scores["TLS"], &scores["QUIC"]);
    #[allow(
        clippy::print_stdout,
        reason = "the score, for whoever asks with --nocapture"
    )]
    {
        println!(
            "TLS {:.4} of {}, QUIC {} of {}",
            tls.recall(),
            tls.flows,
            quic.hits,
            quic.flows
        );
    }
    ensure!(
        tls.wrong.is_empty() && quic.wrong.is_empty(),
        "wrong: {:?} {:?}",
        tls.wrong,
        quic.wrong
    );
    ensure!(
        tls.recall() >= 0.97,
        "TLS recall {:.4}: missed {:?}",
        tls.recall(),
        tls.missed
    );
    // The other 15 rows are Google QUIC, which its makers retired.
    ensure!(quic.hits >= 10, "QUIC: missed {:?}", quic.missed);
    Ok(())
}

fn key(row: &Value, mut ends: [String; 2]) -> Result<Key> {
    let capture = text(row, "capture")?;
    let capture = capture.rsplit('/').next().unwrap_or_default().to_owned();
    ends.sort();
    Ok((capture, text(row, "transport")?, ends))
}

/// `ip:port` or `[ip]:port`, the address in its usual form.
fn end(text: &str) -> Result<String> {
    let (ip, port) = text.rsplit_once(':').context("an end has a port")?;
    let ip = ip.trim_start_matches('[').trim_end_matches(']');
    let ip = ip
        .parse::<IpAddr>()
        .map_or_else(|_| ip.to_owned(), |ip| ip.to_string());
    Ok(format!("{ip}|{port}"))
}

/// Their tool cuts long names.
fn same(truth: &str, found: &str) -> bool {
    let (truth, found) = (truth.trim_end_matches('.'), found.trim_end_matches('.'));
    truth == found || truth.len() >= 60 && (found.ends_with(truth) || found.starts_with(truth))
}

fn text(row: &Value, field: &str) -> Result<String> {
    Ok(row[field]
        .as_str()
        .with_context(|| format!("{field} is text"))?
        .to_owned())
}
