//! Makes an endpoint list that agents can load: for whoever holds a release key.
//!
//! `sign-endpoints NEW.toml OUT KEY_FILE [BEFORE.toml]...`
//!
//! `NEW.toml` has the form of `data/endpoints.toml`, and `KEY_FILE` the key's seed, 64 hexadecimal digits.
//! The list is held to every rule of the build, Public Suffix List included; then to what an agent built
//! from this tree knows of owners, domains and content networks; then to the lists before it, compiled in
//! or signed, each in the same form: its version is above theirs, and no id means something else. `OUT` is
//! written last, and what it holds is read again first. Prints the public key, for
//! `data/release-keys.toml`, and what the list is.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    reason = "a tool that prints, and the build's own modules, of which it calls the readers only"
)]

#[path = "../build/claims.rs"]
mod claims;
#[path = "../build/endpoints.rs"]
mod endpoints;
#[path = "../build/rows.rs"]
mod rows;
#[path = "../src/endpoint/rules.rs"]
#[allow(unreachable_pub, reason = "a module of the library, compiled here too")]
mod rules;
#[path = "../build/vendors.rs"]
mod vendors;

use phonehome_proto::endpoint::Class;
use phonehome_proto::endpoint::later::{LaterList, LaterRow};
use phonehome_proto::id::{from_hex, to_hex};
use phonehome_proto::net::Country;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::{Clock, SystemClock};
use phonehome_proto::{decode, encode};
use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "sign-endpoints NEW.toml OUT KEY_FILE [BEFORE.toml]...";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [new, out, key, before @ ..] = &arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match sign((new, out, key), before) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sign-endpoints: {error}");
            ExitCode::from(65)
        }
    }
}

fn sign((new, out, key): (&str, &str, &str), before: &[String]) -> Outcome<String> {
    let list = read(new)?;
    let kept = list.for_life();
    for path in before {
        let earlier = read(path)?.for_life();
        kept.follows(earlier)
            .map_err(|why| format!("it cannot follow {path}: {why}"))?;
    }
    let key = read_key(key)?;
    let sealed = SealedBatch::seal(PayloadType::Endpoints, encode::endpoint_list(&list), &key);
    let bytes = encode::envelope(sealed);

    let again = decode::envelope(&bytes)?;
    let payload = again.open(PayloadType::Endpoints, &key.public())?;
    if decode::endpoint_list(payload, &is_public_suffix)? != list {
        return Err("what would be written does not read as what was meant".into());
    }
    fs::write(out, bytes)?;
    Ok(format!(
        "{out}: version {} of {}, {} endpoints, signed with {}",
        list.version(),
        list.made(),
        list.rows().len(),
        to_hex(key.public().as_bytes())
    ))
}

/// A list as the build reads it, and as an agent would.
fn read(path: &str) -> Outcome<LaterList> {
    let vendors = vendors::read(include_str!("../data/vendors.toml"))?;
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let file = endpoints::read(&text, &vendors).map_err(|why| format!("{path}: {why}"))?;
    let rows = file.endpoints.iter().map(|endpoint| LaterRow {
        id: endpoint.id.into(),
        pattern: endpoint.pattern.clone(),
        owner: endpoint.owner.clone(),
        class: class(&endpoint.class),
        edge: endpoint.edge.clone(),
        region: file.region_of(endpoint, &vendors).and_then(Country::parse),
    });
    let made = SystemClock.now().day().ok_or("the clock is not set")?;
    let list = LaterList::new(file.version, made, rows.collect(), &is_public_suffix);
    Ok(list.map_err(|why| format!("{path}: {why}"))?)
}

fn class(word: &str) -> Class {
    let classes = [
        Class::Core,
        Class::Telemetry,
        Class::Platform,
        Class::Analytics,
        Class::Advertising,
    ];
    let found = classes.into_iter().find(|class| class.as_str() == word);
    found.expect("the reader knows the classes")
}

fn read_key(path: &str) -> Outcome<SigningKey> {
    let digits = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let seed = from_hex(digits.trim()).and_then(|seed| <[u8; 32]>::try_from(seed).ok());
    let seed = seed.ok_or_else(|| format!("{path}: a key's seed is 64 hexadecimal digits"))?;
    Ok(SigningKey::from_seed(&seed))
}

fn is_public_suffix(host: &str) -> bool {
    !rows::has_registrable_domain(host)
}
