//! Batches for tests, in few words.

use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::scale::{Magnitude, RttStep};
use phonehome_proto::time::Week;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// What one phone said to one endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) vendor: &'static str,
    pub(crate) basis: Basis,
    pub(crate) endpoint: EndpointId,
    /// First three bytes of an IPv4 address; ignored for endpoints on content networks.
    pub(crate) prefix: [u8; 3],
    pub(crate) bytes_up: u64,
    /// Milliseconds of the shortest handshake.
    pub(crate) rtt_ms: Option<u32>,
    pub(crate) samples: RttSamples,
}

/// The week every test speaks of.
pub(crate) fn week() -> Week {
    "2026-W46".parse().expect("a week")
}

pub(crate) fn vendor(id: &str) -> Vendor {
    Vendor::from_id(id).expect("a vendor of the list")
}

/// The first endpoint of the list that the vendor owns and counts as its own, on no content network
/// and without a region token.
pub(crate) fn own_endpoint(id: &str) -> EndpointId {
    EndpointId::all()
        .find(|endpoint| {
            endpoint.owner_vendor() == Some(vendor(id))
                && endpoint.class().is_vendors_own()
                && endpoint.edge().is_none()
                && endpoint.region().is_none()
        })
        .expect("the list has one")
}

/// A batch of the week's day `day` (0 is Monday); every phone that spoke was present.
pub(crate) fn batch(day: usize, present: &[(&str, Basis)], said: &[Said]) -> Batch {
    let row = CensusRow {
        phones: PhoneCount::One,
        unnamed: UnnamedShare::Below10,
    };
    let spoke = said.iter().map(|said| (said.vendor, said.basis));
    let rows = present.iter().copied().chain(spoke);
    let census = Census {
        rows: rows.map(|(id, basis)| ((vendor(id), basis), row)).collect(),
        unidentified: Some(PhoneCount::One),
    };
    let header = BatchHeader {
        audience: Audience::new([1; 32]),
        home: HomeId::new([2; 32]),
        batch_id: BatchId::new([3; 16]),
        day: week().days().nth(day).expect("a day of the week"),
        agent_version: AgentVersion::current(),
        endpoint_list_version: 1,
    };
    let coverage = Coverage {
        source: Source::File,
        losses: BTreeMap::new(),
    };
    let mut observations: BTreeMap<ObservationKey, Observation> = BTreeMap::new();
    for said in said {
        let observation = said.observation();
        observations.insert(*observation.key(), observation);
    }
    Batch::new(
        header,
        census,
        coverage,
        observations.into_values().collect(),
    )
    .expect("a batch")
}

impl Said {
    /// A telemetry contact of a declared phone.
    pub(crate) fn to(vendor: &'static str, endpoint: EndpointId, prefix: [u8; 3]) -> Self {
        Self {
            vendor,
            basis: Basis::Declared,
            endpoint,
            prefix,
            bytes_up: 1_000,
            rtt_ms: None,
            samples: RttSamples::FiveOrMore,
        }
    }

    fn observation(&self) -> Observation {
        let destination = match self.endpoint.edge() {
            Some(_) => Destination::Edge,
            None => Destination::Prefix(Prefix::V4(self.prefix)),
        };
        let key = ObservationKey {
            vendor: vendor(self.vendor),
            basis: self.basis,
            endpoint: self.endpoint,
            destination,
            service: Service::Tls,
            named_by: NamedBy::Sni,
        };
        let steps = [1, self.bytes_up, 1_000].map(Magnitude::of);
        let rtt = self.rtt_ms.map(|ms| Rtt {
            min: RttStep::from_ms(ms).expect("a step"),
            samples: self.samples,
        });
        Observation::new(key, steps, VolumeTrust::Exact, rtt).expect("an observation")
    }
}
