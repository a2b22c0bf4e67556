//! The files a collector of an exercise is given: its configuration and its homes' networks.

use crate::traffic::population::{NETWORKS, prefix};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

/// Who may reach the collector, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Homes come through relays on loopback, which are believed; nobody comes directly.
    Relays,
    /// Whoever is on this machine speaks to it directly, without TLS if they like.
    Direct,
}

/// Writes `collector.toml` and `networks.toml` to `folder`; gives the path of the first.
///
/// The intake listens on a loopback port the system chooses, the pages on `http`, if anywhere.
/// Invites say an address that nobody uses: every home is told where its relay is.
///
/// # Errors
/// Those of the files.
pub fn write(folder: &Path, reach: Reach, http: Option<&str>) -> io::Result<PathBuf> {
    fs::write(folder.join("networks.toml"), networks())?;
    let config = folder.join("collector.toml");
    let http = http.unwrap_or_default();
    let proxies = if reach == Reach::Relays {
        "[\"127.0.0.1\"]"
    } else {
        "[]"
    };
    fs::write(
        &config,
        format!(
            r#"purpose = "exercise"
data_dir = "data"
keys_dir = "keys"
identity = "identity.key"

[intake]
listen = "127.0.0.1:0"
public_address = "127.0.0.1:4317"
proxies = {proxies}

# Neighbours in one documentation prefix: as many as a test wants.
[enrolment]
homes_per_address = 1000000
homes_per_ipv4_24 = 1000000
homes_per_ipv6_48 = 1000000
homes_per_network = 1000000
attempts_per_hour = 1000000

[http]
listen = "{http}"

[exercise]
networks = "networks.toml"
"#
        ),
    )?;
    Ok(config)
}

/// Where the homes of the exercise stand, as the collector reads it.
fn networks() -> String {
    let mut text = String::new();
    for (at, network) in NETWORKS.iter().enumerate() {
        let mut address = [0; 16];
        address[..6].copy_from_slice(&prefix(at));
        let address = Ipv6Addr::from(address);
        writeln!(
            text,
            "[[network]]\nprefix = \"{address}/48\"\ncountry = \"{}\"\nasn = {}\n",
            network.city.country, network.number
        )
        .expect("a string takes text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_collector::config::Config;

    #[test]
    fn the_collector_understands_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = write(folder.path(), Reach::Relays, None).expect("files");
        let config = Config::load(&config).expect("a configuration");
        let home = "2001:db8:3:7::1".parse().expect("an address");
        let origin = config
            .exercise
            .origin(home)
            .expect("a network of the exercise");
        assert_eq!((origin.country.as_str(), origin.network.0), ("PL", 64_499));
        assert_eq!(config.http, None);
    }
}
