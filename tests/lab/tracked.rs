//! What the router's kernel has counted of connections, as Debian's `conntrack` prints it: a second
//! witness, read without any code of the agent's.

use super::namespace::Namespace;
use super::truth::{Both, Volume};
use anyhow::{Context, Result};
use std::net::{IpAddr, SocketAddr};

/// One connection and its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    /// Who opened it, before any translation.
    pub(crate) client: SocketAddr,
    /// Whom it was opened to, before any translation.
    pub(crate) server: SocketAddr,
    /// TCP or UDP.
    pub(crate) is_tcp: bool,
    /// What passed.
    pub(crate) both: Both,
}

/// Every TCP and UDP connection of both Internets.
pub(crate) fn connections(router: &Namespace) -> Result<Vec<Tracked>> {
    let mut all = Vec::new();
    for family in ["ipv4", "ipv6"] {
        let text = router.run("conntrack", &["-L", "-f", family])?;
        let lines = text.lines().filter(|line| line.contains(" dport="));
        for line in lines {
            all.push(read(line).with_context(|| line.to_owned())?);
        }
    }
    Ok(all)
}

/// The sum over all connections to a server, of one transport.
pub(crate) fn sum(connections: &[Tracked], server: SocketAddr, is_tcp: bool) -> Both {
    let to_server = |tracked: &&Tracked| (tracked.server, tracked.is_tcp) == (server, is_tcp);
    let of_server = connections.iter().filter(to_server);
    of_server.fold(Both::default(), |sum, tracked| sum.and(tracked.both))
}

/// `tcp 6 431999 ESTABLISHED src=.. dst=.. sport=.. dport=.. packets=.. bytes=.. src=.. ...`
fn read(line: &str) -> Result<Tracked> {
    let value = |key: &str, nth| {
        let words = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='));
        let mut found = words
            .filter(|(word, _)| *word == key)
            .map(|(_, value)| value);
        found.nth(nth).with_context(|| key.to_owned())
    };
    let volume = |nth| -> Result<Volume> {
        Ok(Volume {
            packets: value("packets", nth)?.parse()?,
            bytes: value("bytes", nth)?.parse()?,
        })
    };
    let end = |address, port| -> Result<SocketAddr> {
        let address: IpAddr = value(address, 0)?.parse()?;
        Ok(SocketAddr::new(address, value(port, 0)?.parse()?))
    };
    Ok(Tracked {
        client: end("src", "sport")?,
        server: end("dst", "dport")?,
        is_tcp: line.starts_with("tcp"),
        both: Both {
            up: volume(0)?,
            down: volume(1)?,
        },
    })
}
