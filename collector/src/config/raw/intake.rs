//! `[intake]` as written, and what makes it valid.

use super::{Wrong, address, wrong};
use crate::config::IntakeConfig;
use crate::intake::forwarded::{Forwarders, Header};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::seal::SigningKey;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::IpAddr;
use toml::Spanned;

/// Proxies that may be listed, of each kind.
const PROXIES_MAX: usize = 64;

const LISTEN: &str = "[::]:4317";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIntake {
    listen: Option<Spanned<String>>,
    public_address: Spanned<String>,
    #[serde(default)]
    proxies: Vec<Spanned<String>>,
    tls: Option<Spanned<bool>>,
    #[serde(default)]
    forwarded_by: Vec<Spanned<String>>,
    forwarded_header: Option<Spanned<String>>,
}

impl RawIntake {
    pub(super) fn validate(&self) -> Result<IntakeConfig, Wrong> {
        let config = IntakeConfig {
            listen: address(self.listen.as_ref(), "intake.listen", LISTEN)?,
            public_address: self.public_address()?,
            proxies: addresses(&self.proxies, "intake.proxies")?,
            tls: self.tls.as_ref().is_none_or(|tls| *tls.as_ref()),
            forwarders: self.forwarders()?,
        };
        if let Some(first) = self.forwarded_by.first() {
            if config.tls {
                let sentence = "'intake.forwarded_by' is only for 'intake.tls = false': a proxy that \
                                does not end TLS can write no header";
                return Err(wrong(first, sentence));
            }
            let is_both = |text: &&Spanned<String>| {
                let address = text.as_ref().parse().map(|a: IpAddr| a.to_canonical());
                address.is_ok_and(|address| config.proxies.contains(&address))
            };
            if let Some(twice) = self.forwarded_by.iter().find(is_both) {
                let sentence = "'intake.forwarded_by' and 'intake.proxies' both list this address: a \
                                proxy says it one way";
                return Err(wrong(twice, sentence));
            }
        }
        let is_reachable = !config.proxies.is_empty()
            || !self.forwarded_by.is_empty()
            || config.listen.ip().to_canonical().is_loopback();
        match &self.tls {
            Some(tls) if !config.tls && !is_reachable => Err(wrong(
                tls,
                "'intake.tls' is false, and neither 'intake.proxies' nor 'intake.forwarded_by' lists a \
                 proxy that ends TLS: without TLS nobody else is let in but this machine itself",
            )),
            _ => Ok(config),
        }
    }

    /// What an invite can carry, which is what homes can dial.
    fn public_address(&self) -> Result<String, Wrong> {
        let authority = self.public_address.as_ref();
        let collector_key = SigningKey::from_seed(&[0; 32]).public();
        let invite = Invite {
            authority: authority.clone(),
            collector_key,
            token: None,
        };
        match invite.to_string().parse::<Invite>() {
            Ok(read) if read.authority == *authority => Ok(authority.clone()),
            _ => Err(wrong(
                &self.public_address,
                "'intake.public_address' is not a host with a port, like collector.example.net:4317",
            )),
        }
    }

    fn forwarders(&self) -> Result<Option<Forwarders>, Wrong> {
        let proxies = addresses(&self.forwarded_by, "intake.forwarded_by")?;
        match (self.forwarded_by.first(), &self.forwarded_header) {
            (None, None) => Ok(None),
            (Some(_), Some(word)) => {
                let header = Header::parse(word.as_ref()).ok_or_else(|| {
                    let sentence = "'intake.forwarded_header' is either \"forwarded\" or \
                                    \"x-forwarded-for\"";
                    wrong(word, sentence)
                })?;
                Ok(Some(Forwarders { header, proxies }))
            }
            (Some(first), None) => Err(wrong(
                first,
                "'intake.forwarded_by' needs 'intake.forwarded_header', the one header that these \
                 proxies write: a client can write any other",
            )),
            (None, Some(word)) => Err(wrong(
                word,
                "'intake.forwarded_header' is believed of nobody: 'intake.forwarded_by' lists no proxy",
            )),
        }
    }
}

fn addresses(list: &[Spanned<String>], key: &str) -> Result<BTreeSet<IpAddr>, Wrong> {
    if let Some(surplus) = list.get(PROXIES_MAX) {
        let sentence = format!("'{key}' lists more than {PROXIES_MAX} addresses");
        return Err(wrong(surplus, &sentence));
    }
    list.iter()
        .map(|text| {
            let address: Result<IpAddr, _> = text.as_ref().parse();
            let sentence = format!("'{key}' takes IP addresses, without a port");
            address
                .map(|address| address.to_canonical())
                .map_err(|_| wrong(text, &sentence))
        })
        .collect()
}
