//! A day of a home in which everything occurs that an observation can say.

use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Loss, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::encode;
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::scale::{Magnitude, RTT_STEPS_MS, RttStep};
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// Observations of the day.
const OBSERVATIONS: usize = 40;

/// The payload of that day's batch.
pub(super) fn payload() -> Vec<u8> {
    let row = CensusRow {
        phones: PhoneCount::Two,
        unnamed: UnnamedShare::Above50,
    };
    let observations: Vec<Observation> = (0..OBSERVATIONS).map(observation).collect();
    let phones = observations.iter().map(|seen| seen.key());
    let census = Census {
        rows: phones.map(|key| ((key.vendor, key.basis), row)).collect(),
        unidentified: Some(PhoneCount::ThreeOrMore),
    };
    let coverage = Coverage {
        source: Source::Tap,
        losses: BTreeMap::from(Loss::ALL.map(|loss| (loss, Magnitude::of(3)))),
    };
    let header = BatchHeader {
        audience: Audience::new([1; 32]),
        home: HomeId::new([2; 32]),
        batch_id: BatchId::new([3; 16]),
        day: Day::new(20_770).expect("in range"),
        agent_version: AgentVersion {
            major: 1,
            minor: 0,
            patch: 300,
        },
        endpoint_list_version: ENDPOINT_LIST_VERSION,
    };
    let batch = Batch::new(header, census, coverage, observations);
    encode::batch(&batch.expect("these may stand together"))
}

fn observation(number: usize) -> Observation {
    fn turn<T: Copy>(of: &[T], number: usize) -> T {
        of[number % of.len()]
    }
    let vendors: Vec<Vendor> = Vendor::all().collect();
    let endpoints: Vec<EndpointId> = EndpointId::all().collect();
    let bases = [
        Basis::Declared,
        Basis::Decisive,
        Basis::Inferred,
        Basis::Circular,
    ];
    let services = [
        Service::Tls,
        Service::Quic,
        Service::Http,
        Service::Dns,
        Service::Other,
    ];
    let named_by = [
        NamedBy::Sni,
        NamedBy::Quic,
        NamedBy::Dns,
        NamedBy::Http,
        NamedBy::Ech,
    ];
    // A stride that meets rows from all over the list, some of them on a content network.
    let endpoint = turn(&endpoints, number * 37);
    let low = u8::try_from(number % 250).expect("small");
    let destination = match endpoint.edge() {
        Some(_) => Destination::Edge,
        None if number.is_multiple_of(3) => {
            Destination::Prefix(Prefix::V6([0x24, 0, 0x32, 0, 0, low]))
        }
        None => Destination::Prefix(Prefix::V4([203, 0, 112 - low % 2])),
    };
    let key = ObservationKey {
        vendor: turn(&vendors, number / 8),
        basis: turn(&bases, number / 2),
        endpoint,
        destination,
        service: turn(&services, number),
        named_by: turn(&named_by, number / 3),
    };
    let rtt = Rtt {
        min: RttStep::from_ms(turn(&RTT_STEPS_MS, number).into()).expect("a step of the scale"),
        samples: turn(&[RttSamples::OneToFour, RttSamples::FiveOrMore], number),
    };
    let is_timed = destination != Destination::Edge && !number.is_multiple_of(5);
    let amount = 7_u64.pow(u32::try_from(number % 14).expect("small"));
    let volumes = [amount, amount / 50, amount * 3].map(Magnitude::of);
    let trust = turn(&[VolumeTrust::Exact, VolumeTrust::LowerBound], number / 4);
    Observation::new(key, volumes, trust, is_timed.then_some(rtt))
        .expect("these may stand together")
}
