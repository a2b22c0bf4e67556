//! A phone in the home: a namespace with one radio, addresses it asked for, and an owner who visits
//! sites.

use super::credentials::{Credentials, KeyExchange};
use super::dns;
use super::exchange::{Exchange, ask};
use super::lease::{self, Lease, RADIO};
use super::namespace::Namespace;
use super::router::{Lan, Router};
use super::sites::{Family, Site};
use super::truth::Port;
use anyhow::{Context, Result};
use phonehome_tests::traffic::phone::Phone;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A phone at home.
#[derive(Debug)]
pub(crate) struct Handset {
    /// What it is.
    pub(crate) phone: Phone,
    /// Where it runs.
    pub(crate) namespace: Namespace,
    /// The port of the router it is at.
    pub(crate) port: String,
    /// What it was given.
    pub(crate) lease: Lease,
    /// The address it made itself.
    pub(crate) address_v6: Ipv6Addr,
    credentials: Arc<Credentials>,
}

/// One connection to a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) site: Site,
    pub(crate) family: Family,
    pub(crate) carrier: Carrier,
    pub(crate) exchange: Exchange,
}

/// How a site is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Http,
    Tls(KeyExchange),
    Quic,
}

const PARAMETERS: &str = "
    ipv6/conf/default/accept_dad 0
    ipv6/conf/all/accept_dad 0
    ipv6/conf/default/router_solicitation_delay 0
    ipv6/conf/default/router_solicitation_interval 1";

impl Handset {
    /// Brings a phone home: it joins a network, asks for an address and is advertised a prefix.
    pub(crate) fn join(
        router: &Router,
        lan: Lan,
        phone: Phone,
        credentials: Arc<Credentials>,
    ) -> Result<Self> {
        let namespace = Namespace::create("phone")?;
        namespace.set(PARAMETERS)?;
        let port = router.plug(lan, &namespace, RADIO, phone.mac)?;
        let lease = lease::take(&namespace, &phone)?;
        let address_v6 = lease::advertised(&namespace)?;
        Ok(Self {
            phone,
            namespace,
            port,
            lease,
            address_v6,
            credentials,
        })
    }

    /// Looks a site up and speaks to it; returns when all has been said and the connection is closed.
    pub(crate) fn visit(&self, visit: Visit) -> Result<()> {
        let name_server = self.lease.name_server;
        let Visit { site, family, .. } = visit;
        let address =
            self.on_phone(async move { dns::resolve(name_server, site.name, family).await })?;
        self.visit_at(address, visit)
    }

    /// The same, where the address is known.
    pub(crate) fn visit_at(&self, address: IpAddr, visit: Visit) -> Result<()> {
        let credentials = Arc::clone(&self.credentials);
        self.on_phone(async move { speak(address, visit, &credentials).await })
            .with_context(|| format!("{visit:?} at {address}"))
    }

    /// Asks a name server of its choice.
    pub(crate) fn resolve_with(
        &self,
        server: SocketAddr,
        site: Site,
        family: Family,
    ) -> Result<IpAddr> {
        self.on_phone(async move { dns::resolve(server, site.name, family).await })
    }

    /// Runs something in the phone to its end.
    pub(crate) fn on_phone<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.namespace.inside(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(work)
        })
    }
}

impl Visit {
    /// The port of the site that it is to.
    pub(crate) const fn port(self) -> Port {
        match self.carrier {
            Carrier::Http => Port::Http,
            Carrier::Tls(_) => Port::Tls,
            Carrier::Quic => Port::Quic,
        }
    }
}

async fn speak(address: IpAddr, visit: Visit, credentials: &Credentials) -> Result<()> {
    let Visit { site, exchange, .. } = visit;
    match visit.carrier {
        Carrier::Http => {
            let mut stream = TcpStream::connect((address, 80)).await?;
            ask(&mut stream, site.name, exchange).await
        }
        Carrier::Tls(keys) => {
            let config = Arc::new(credentials.client(keys, "http/1.1")?);
            let stream = TcpStream::connect((address, 443)).await?;
            let name = ServerName::try_from(site.name)?;
            let mut stream = TlsConnector::from(config).connect(name, stream).await?;
            ask(&mut stream, site.name, exchange).await
        }
        Carrier::Quic => {
            let config = credentials.client(KeyExchange::Classical, "h3")?;
            let config = QuicClientConfig::try_from(config)?;
            let any: IpAddr = match address {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let mut endpoint = quinn::Endpoint::client((any, 0).into())?;
            endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
            let connection = endpoint.connect((address, 443).into(), site.name)?.await?;
            let (send, receive) = connection.open_bi().await?;
            ask(&mut tokio::io::join(receive, send), site.name, exchange).await?;
            connection.close(0_u32.into(), b"");
            endpoint.wait_idle().await;
            Ok(())
        }
    }
}
