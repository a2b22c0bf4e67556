//! Registries are asked who registered the domains of the endpoint list.
//!
//! Takes the domains and where to ask; gives what was answered, and per domain without an answer the
//! reason. RDAP (RFC 7480 to 7484, 9082, 9083) over HTTPS: the registry is found in IANA's list
//! (RFC 9224) or named, and where it only points to the registrar, that one link is followed. One
//! question at a time with a pause before each, never more than [`QUERIES_MAX`]; who asks to be left
//! alone (429) is left alone. Nothing that answers can make it ask an address that is not public.

mod bootstrap;
mod client;
mod rdap;

pub use client::Client;

use crate::geo::owner::registry::{Registered, RegistryAnswer};
use bootstrap::Directory;
use client::Reply;
use hyper::Uri;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use thiserror::Error;

/// IANA's list of the registries' RDAP services.
pub const IANA: &str = "https://data.iana.org/rdap/dns.json";

/// Requests of one update, redirections and repetitions included: three for each listed domain.
pub const QUERIES_MAX: u32 = 300;

/// Before each request, except to this machine.
pub const PAUSE: Duration = Duration::from_secs(2);

/// A server that wants to be left alone for longer is not asked again in this update.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// Where `Retry-After` is missing or a date.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(60);

/// How often a request that was turned away is repeated.
const REPETITIONS_MAX: u32 = 1;

/// Redirections followed for one answer.
const REDIRECTIONS_MAX: u32 = 3;

/// What an update brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By domain.
    pub answers: BTreeMap<String, RegistryAnswer>,
    /// The domains without an answer, and why.
    pub silent: BTreeMap<String, Silence>,
    /// Requests that were made.
    pub queries: u32,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Silence {
    /// As with most country codes.
    #[error("its registry has no RDAP service")]
    NoService,
    /// 404: the server knows no such domain.
    #[error("the server knows no such domain")]
    Unregistered,
    /// 429 or 503, repeatedly or for too long.
    #[error("the server asks to be left alone")]
    Busy,
    /// Any other status but 200.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// Something else answered.
    #[error("the answer is not RDAP: {0}")]
    NotRdap(&'static str),
    /// More than is read.
    #[error("the answer is too long")]
    TooLong,
    /// It did not end in time.
    #[error("the server was too slow")]
    TooSlow,
    /// Round and round.
    #[error("the server redirects more than {REDIRECTIONS_MAX} times")]
    Redirected,
    /// Neither HTTPS nor public, so it is not asked.
    #[error("it leads to an address that is not asked")]
    Forbidden,
    /// Nobody is there, or the connection broke.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The update has asked enough.
    #[error("{QUERIES_MAX} requests were made, which is the most of one update")]
    OutOfQueries,
}

/// The text that says where to ask is no address for it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not where RDAP can be asked: write it like {IANA} or https://rdap.example.net/")]
pub struct NotAnAddress(pub String);

/// Where to ask: a list of services, ending in `.json`, or one service for every domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Uri);

/// Asks for every domain on the day `today`, like `2026-11-22`; `wait` waits. A list of services that
/// cannot be had leaves every domain without an answer.
pub async fn ask_all<W: AsyncFn(Duration)>(
    client: &Client,
    address: &Address,
    domains: impl IntoIterator<Item = String>,
    today: &str,
    wait: W,
) -> Report {
    let mut asking = Asking {
        client,
        wait,
        pause: if address.is_loopback() {
            Duration::ZERO
        } else {
            PAUSE
        },
        today,
        queries: 0,
        resting: BTreeSet::new(),
    };
    let directory = if address.is_list() {
        asking.directory(&address.0).await
    } else {
        Ok(Directory::one(&address.0))
    };
    let mut report = Report::default();
    for domain in domains {
        let answer = match &directory {
            Ok(directory) => asking.registrant(directory, &domain).await,
            Err(silence) => Err(silence.clone()),
        };
        match answer {
            Ok(answer) => drop(report.answers.insert(domain, answer)),
            Err(silence) => drop(report.silent.insert(domain, silence)),
        }
    }
    report.queries = asking.queries;
    report
}

/// One update under way.
struct Asking<'a, W> {
    client: &'a Client,
    wait: W,
    pause: Duration,
    today: &'a str,
    queries: u32,
    /// Servers that asked to be left alone.
    resting: BTreeSet<String>,
}

impl<W: AsyncFn(Duration)> Asking<'_, W> {
    async fn directory(&mut self, list: &Uri) -> Result<Directory, Silence> {
        let reply = self.get(list).await?;
        Directory::read(&reply.body).map_err(Silence::NotRdap)
    }

    /// The registry's answer, or the registrar's where the registry leaves it to it.
    async fn registrant(
        &mut self,
        directory: &Directory,
        domain: &str,
    ) -> Result<RegistryAnswer, Silence> {
        let service = directory.service(domain).ok_or(Silence::NoService)?;
        let question = question(service, domain).ok_or(Silence::Forbidden)?;
        let (registry, source) = self.facts(&question, domain).await?;
        if matches!(registry.registered, Registered::Published(_)) {
            return Ok(registry.answer(source, self.today));
        }
        // One link, and none beyond it: what the registrar says is all there is.
        let Some(related) = registry.related.as_ref().and_then(|href| href.parse().ok()) else {
            return Ok(registry.answer(source, self.today));
        };
        let (registrar, beyond) = self.facts(&related, domain).await?;
        // A registry that says it withholds has said more than a registrar that says nothing.
        if registrar.registered == Registered::Absent {
            return Ok(registry.answer(source, self.today));
        }
        Ok(registrar.answer(beyond, self.today))
    }

    async fn facts(&mut self, at: &Uri, domain: &str) -> Result<(rdap::Facts, String), Silence> {
        let reply = self.get(at).await?;
        let facts = rdap::read(&reply.body, domain).map_err(Silence::NotRdap)?;
        Ok((facts, reply.from.to_string()))
    }

    /// The JSON at an address, after its redirections.
    async fn get(&mut self, at: &Uri) -> Result<Reply, Silence> {
        let (mut at, mut redirections, mut repetitions) = (at.clone(), 0, 0);
        loop {
            let server = at.authority().map(ToString::to_string).unwrap_or_default();
            if self.resting.contains(&server) {
                return Err(Silence::Busy);
            }
            if self.queries == QUERIES_MAX {
                return Err(Silence::OutOfQueries);
            }
            self.queries += 1;
            (self.wait)(self.pause).await;
            let reply = self.client.get(&at).await?;
            match reply.status {
                200 if reply.is_json => return Ok(reply),
                200 => return Err(Silence::NotRdap("it is of another media type")),
                301 | 302 | 303 | 307 | 308 => {
                    redirections += 1;
                    if redirections > REDIRECTIONS_MAX {
                        return Err(Silence::Redirected);
                    }
                    at = reply.location.ok_or(Silence::Forbidden)?;
                }
                404 => return Err(Silence::Unregistered),
                429 | 503 => {
                    let pause = reply.retry_after.unwrap_or(RETRY_AFTER_DEFAULT);
                    if repetitions == REPETITIONS_MAX || pause > RETRY_AFTER_MAX {
                        self.resting.insert(server);
                        return Err(Silence::Busy);
                    }
                    repetitions += 1;
                    (self.wait)(pause).await;
                }
                status => return Err(Silence::Status(status)),
            }
        }
    }
}

/// The question for a domain (RFC 9082, section 3.1.3).
fn question(service: &Uri, domain: &str) -> Option<Uri> {
    let base = service.to_string();
    format!("{}/domain/{domain}", base.trim_end_matches('/'))
        .parse()
        .ok()
}

impl Address {
    fn is_list(&self) -> bool {
        self.0.path().ends_with(".json")
    }

    /// Whether it is on this machine: then plain HTTP and addresses of this machine are allowed.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        client::loopback(&self.0)
    }
}

impl std::str::FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let refuse = || NotAnAddress(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| refuse())?;
        let is_https = uri.scheme_str() == Some("https");
        let is_plain = uri.query().is_none() && !text.contains(['@', '#']);
        if uri.host().is_some() && is_plain && (is_https || client::loopback(&uri)) {
            Ok(Self(uri))
        } else {
            Err(refuse())
        }
    }
}

#[cfg(test)]
mod tests;
