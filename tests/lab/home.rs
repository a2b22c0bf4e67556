//! The laboratory put together: the Internet with its servers, a line, a router and its phones.
//!
//! Everything stands in namespaces that nothing leads out of, and is gone when [`Home`] is dropped.

use super::credentials::Credentials;
use super::handset::{Handset, Visit};
use super::line::Line;
use super::namespace::Namespace;
use super::router::{
    DELEGATED, LINE, Lan, PROVIDER, PROVIDER_V6, Router, Segments, WAN_V6, segment,
};
use super::serve::Servers;
use super::sites::{Family, NAME_SERVER, SITES};
use super::truth::{self, Both};
use anyhow::Result;
use phonehome_proto::chance::SeededChance;
use phonehome_tests::traffic::phone::{Make, Openness, Phone};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A home and the Internet around it. Fields are dropped in this order: whoever uses a namespace
/// before the namespace.
#[derive(Debug)]
pub(crate) struct Home {
    _servers: Servers,
    line: Option<Line>,
    /// The router.
    pub(crate) router: Router,
    /// Where the servers are.
    pub(crate) internet: Namespace,
    credentials: Arc<Credentials>,
    folder: TempDir,
}

/// How the laboratory is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What interfaces hand on.
    pub(crate) segments: Segments,
    /// How long every packet takes on the line, each way; `None` is a cable.
    pub(crate) delay: Option<Duration>,
}

/// Addresses can be used at once: nobody else has them.
const PARAMETERS: &str = "
    ipv4/ip_forward 1
    ipv6/conf/all/forwarding 1
    ipv6/conf/all/accept_dad 0
    ipv6/conf/default/accept_dad 0";

/// The provider's end of the line.
const FAR_END: &str = "isp0";

impl Plan {
    /// Packets as on the wire, no delay.
    pub(crate) const PLAIN: Self = Self {
        segments: Segments::Single,
        delay: None,
    };
}

impl Home {
    /// Builds it and switches it on.
    pub(crate) fn build(plan: Plan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let internet = Namespace::create("internet")?;
        internet.set(PARAMETERS)?;
        let router = Router::start(folder.path(), plan.segments)?;
        let near = (&router.namespace, LINE);
        let far = (&internet, FAR_END);
        let line = match plan.delay {
            None => Line::cable(near, far).map(|()| None)?,
            Some(delay) => Some(Line::delayed(near, far, delay)?),
        };
        provide(&internet)?;
        router.connect()?;
        truth::begin(&internet)?;
        let credentials = Arc::new(Credentials::make()?);
        let servers = Servers::start(&internet, &credentials)?;
        Ok(Self {
            _servers: servers,
            line,
            router,
            internet,
            credentials,
            folder,
        })
    }

    /// Brings a phone into one of the networks. `number` makes its address and its name.
    pub(crate) fn phone(
        &self,
        lan: Lan,
        make: Make,
        openness: Openness,
        number: u64,
    ) -> Result<Handset> {
        // Only make, MAC address and name are used: its addresses the phone is given here.
        let phone = Phone::new(
            make,
            openness,
            0,
            [0; 3],
            [0; 8],
            &mut SeededChance::new(number),
        );
        Handset::join(&self.router, lan, phone, Arc::clone(&self.credentials))
    }

    /// What the server of `visit` has counted so far.
    pub(crate) fn counted_at(&self, visit: Visit) -> Result<Both> {
        truth::of(&self.internet, visit.site, visit.family, visit.port())
    }

    /// Lets `work` happen and tells what the server of `visit` counted meanwhile.
    pub(crate) fn counted(&self, visit: Visit, work: impl FnOnce() -> Result<()>) -> Result<Both> {
        let before = self.counted_at(visit)?;
        work()?;
        Ok(self.counted_at(visit)?.since(before))
    }

    /// Where files of the laboratory may lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Packets the line had no room for.
    pub(crate) fn dropped(&self) -> u64 {
        self.line.as_ref().map_or(0, Line::dropped)
    }
}

/// Gives the Internet its addresses and its way to the home.
fn provide(internet: &Namespace) -> Result<()> {
    segment(internet, FAR_END, Segments::Single)?;
    internet.link(&format!("set {FAR_END} up"))?;
    let mut addresses = format!(
        "add {PROVIDER}/30 dev {FAR_END}
         add {PROVIDER_V6}/64 dev {FAR_END} nodad
         add {NAME_SERVER}/32 dev lo\n"
    );
    for site in SITES {
        for (family, width) in [(Family::V4, 32), (Family::V6, 128)] {
            let address = site.address(family);
            addresses += &format!("add {address}/{width} dev lo nodad\n");
        }
    }
    internet.ip("addr", &addresses)?;
    internet.ip(
        "route",
        &format!("add {DELEGATED} via {WAN_V6} dev {FAR_END}"),
    )
}
