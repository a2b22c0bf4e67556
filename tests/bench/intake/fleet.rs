//! Homes and their batches, all made before anything is timed.
//!
//! Every home has a key of its own and is in the registry; every batch is signed by its home and holds
//! so many observations of a made-up network. What is said repeats itself after [`DAYS`] days, who says
//! it does not.

use anyhow::{Context, Result};
use phonehome_collector::store::{EnrolAttempt, InviteRow, Store};
use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::encode;
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};
use phonehome_proto::id::{Audience, BatchId, Hash, HomeId};
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::scale::{Magnitude, RTT_STEPS_MS, RttStep};
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::{Day, Timestamp};
use phonehome_proto::vendor::Vendor;
use phonehome_tests::simulation::dice::Dice;
use std::collections::{BTreeMap, BTreeSet};

/// Different days that the homes take turns to report.
const DAYS: usize = 512;

/// Makers whose phones are in one home.
const VENDORS_MAX: usize = 3;

/// Places each endpoint answers from.
const PLACES: usize = 12;

/// What many homes say.
pub(crate) struct Fleet {
    audience: Audience,
    day: Day,
    homes: Vec<SigningKey>,
    said: Vec<(Census, Vec<Observation>)>,
    batches: u64,
}

impl Fleet {
    /// So many homes that report `observations` of `day` to the collector `audience` each.
    pub(crate) fn new(audience: Audience, day: Day, homes: u32, observations: usize) -> Self {
        let mut dice = Dice::new(0xf1ee7);
        let key = |number: u32| {
            let mut seed = [0xf1; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            SigningKey::from_seed(&seed)
        };
        Self {
            audience,
            day,
            homes: (0..homes).map(key).collect(),
            said: (0..DAYS).map(|_| say(&mut dice, observations)).collect(),
            batches: 0,
        }
    }

    /// Puts every home into the registry of a collector that does not run.
    pub(crate) async fn enrol(&self, store: &Store, now: Timestamp) -> Result<()> {
        let token_hash = |home: &SigningKey| Hash::of(home.public().as_bytes());
        let invites = self.homes.iter().map(|home| InviteRow {
            token_hash: token_hash(home),
            expires_at: now.plus_seconds(3_600),
            uses: 1,
        });
        store.add_invites(invites.collect()).await?;
        for home in &self.homes {
            let attempt = EnrolAttempt {
                home: home.public().home(),
                key: *home.public().as_bytes(),
                payload_hash: Hash::of(b"an enrolment"),
                invite_hash: Some(token_hash(home)),
                uninvited: None,
                crowds: Vec::new(),
                months: [Day::LAST; 2],
                receipt: Vec::new(),
                now,
            };
            store.enrol(attempt).await?;
        }
        Ok(())
    }

    /// The next batches, the homes taking turns.
    pub(crate) fn batches(&mut self, count: usize) -> Result<Vec<SealedBatch>> {
        let first = self.batches;
        self.batches += u64::try_from(count)?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let share = count.div_ceil(threads).max(1);
        let numbers: Vec<u64> = (first..self.batches).collect();
        let this = &*self;
        std::thread::scope(|scope| {
            let makers: Vec<_> = numbers
                .chunks(share)
                .map(|numbers| scope.spawn(|| numbers.iter().map(|at| this.batch(*at)).collect()))
                .collect();
            let made = makers.into_iter().map(|maker| maker.join());
            let made: Option<Vec<Vec<SealedBatch>>> = made.map(Result::ok).collect();
            Ok(made.context("making batches does not panic")?.concat())
        })
    }

    fn batch(&self, number: u64) -> SealedBatch {
        let at = |length: usize| usize::try_from(number).unwrap_or_default() % length;
        let home = &self.homes[at(self.homes.len())];
        let payload = self.payload(number, home.public().home(), self.day);
        SealedBatch::seal(PayloadType::Batch, payload, home)
    }

    /// What the batch of this number says, under any home's name.
    pub(crate) fn payload(&self, number: u64, home: HomeId, day: Day) -> Vec<u8> {
        // Strides that share no divisor with the number of days: a home's days differ.
        let said = usize::try_from(number.wrapping_mul(31)).unwrap_or_default() % self.said.len();
        let (census, observations) = self.said[said].clone();
        let header = BatchHeader {
            audience: self.audience,
            home,
            batch_id: BatchId::new(
                Hash::of(&number.to_be_bytes()).as_bytes()[..16]
                    .try_into()
                    .expect("16 of 32"),
            ),
            day,
            agent_version: AgentVersion::current(),
            endpoint_list_version: ENDPOINT_LIST_VERSION,
        };
        let coverage = Coverage {
            source: Source::ConntrackAndTap,
            losses: BTreeMap::new(),
        };
        let batch = Batch::new(header, census, coverage, observations);
        encode::batch(&batch.expect("what is made here may stand together"))
    }
}

/// A store that is asked directly knows the fleet's first home; this is its key.
pub(crate) async fn first_key(store: &Store, now: Timestamp) -> Result<Hash> {
    let key = SigningKey::from_seed(&[0xf2; 32]).public();
    let token_hash = Hash::of(key.as_bytes());
    let expires_at = now.plus_seconds(3_600);
    store
        .add_invites(vec![InviteRow {
            token_hash,
            expires_at,
            uses: 1,
        }])
        .await?;
    let attempt = EnrolAttempt {
        home: key.home(),
        key: *key.as_bytes(),
        payload_hash: Hash::of(b"an enrolment"),
        invite_hash: Some(token_hash),
        uninvited: None,
        crowds: Vec::new(),
        months: [Day::LAST; 2],
        receipt: Vec::new(),
        now,
    };
    store.enrol(attempt).await?;
    Ok(Hash::of(key.as_bytes()))
}

/// One home's day.
fn say(dice: &mut Dice, observations: usize) -> (Census, Vec<Observation>) {
    let vendors: Vec<Vendor> = Vendor::all().collect();
    let endpoints: Vec<EndpointId> = EndpointId::all().collect();
    let mine: BTreeSet<Vendor> = (0..VENDORS_MAX).map(|_| dice.one_of(&vendors)).collect();
    let row = CensusRow {
        phones: PhoneCount::One,
        unnamed: UnnamedShare::Below10,
    };
    let census = Census {
        rows: mine
            .iter()
            .map(|vendor| ((*vendor, Basis::Decisive), row))
            .collect(),
        unidentified: None,
    };
    let mine: Vec<Vendor> = mine.into_iter().collect();
    let mut met = BTreeMap::new();
    while met.len() < observations {
        let endpoint = dice.one_of(&endpoints);
        let key = ObservationKey {
            vendor: dice.one_of(&mine),
            basis: Basis::Decisive,
            endpoint,
            destination: place(dice, endpoint),
            service: dice.one_of(&[Service::Tls, Service::Tls, Service::Quic]),
            named_by: dice.one_of(&[NamedBy::Sni, NamedBy::Sni, NamedBy::Dns]),
        };
        let volumes = [20, 200_000, 2_000_000]
            .map(|most| Magnitude::of(u64::try_from(dice.between(1, most)).unwrap_or(1)));
        let rtt = matches!(key.destination, Destination::Prefix(_)).then(|| Rtt {
            min: RttStep::from_ms(dice.one_of(&RTT_STEPS_MS).into()).expect("a step of the scale"),
            samples: RttSamples::FiveOrMore,
        });
        let seen = Observation::new(key, volumes, VolumeTrust::Exact, rtt);
        met.insert(key, seen.expect("what is made here may stand together"));
    }
    (census, met.into_values().collect())
}

/// One of the places an endpoint answers from; most of them in IPv4.
fn place(dice: &mut Dice, endpoint: EndpointId) -> Destination {
    if endpoint.edge().is_some() {
        return Destination::Edge;
    }
    let which = u32::try_from(dice.below(PLACES)).unwrap_or_default();
    let mixed = Dice::new(u64::from(endpoint.number() * 64 + which)).below(1 << 24);
    let [_, a, b, c] = u32::try_from(mixed).unwrap_or_default().to_be_bytes();
    Destination::Prefix(if which == 0 {
        Prefix::V6([0x24, 0x00, 0x32, 0x00, b, c])
    } else {
        // 11.0.0.0 to 99.255.255.0 holds no special range.
        Prefix::V4([11 + a % 89, b, c])
    })
}
