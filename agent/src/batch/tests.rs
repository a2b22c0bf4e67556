use super::*;
use phonehome_proto::batch::{Loss, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Service, VolumeTrust,
};
use phonehome_proto::scale::Magnitude;
use phonehome_proto::vendor::Vendor;
use proptest::prelude::*;
use std::collections::BTreeSet;

const AUDIENCE: Audience = Audience::new([1; 32]);
const HOME: HomeId = HomeId::new([2; 32]);

fn observation(n: usize) -> Observation {
    let [.., b, c] = u32::try_from(n).expect("small").to_be_bytes();
    let key = ObservationKey {
        vendor: Vendor::from_id("xiaomi").expect("listed"),
        basis: Basis::Decisive,
        endpoint: EndpointId::of_name("sa.api.intl.miui.com").expect("listed"),
        destination: Destination::Prefix(Prefix::V4([9, b, c])),
        service: Service::Tls,
        named_by: NamedBy::Sni,
    };
    Observation::new(key, [Magnitude::of(1); 3], VolumeTrust::Exact, None).expect("observable")
}

fn summary(day: u32, observations: usize) -> DaySummary {
    let vendor = Vendor::from_id("xiaomi").expect("listed");
    let row = CensusRow {
        phones: PhoneCount::One,
        unnamed: UnnamedShare::Below10,
    };
    DaySummary {
        day: Day::new(day).expect("before 9999"),
        census: Census {
            rows: [((vendor, Basis::Decisive), row)].into(),
            unidentified: None,
        },
        coverage: Coverage {
            source: Source::File,
            losses: [(Loss::UnreadablePackets, Magnitude::of(7))].into(),
        },
        endpoint_list_version: 3,
        observations: (0..observations).map(observation).collect(),
    }
}

#[test]
fn a_silent_day_is_told() {
    let told = batches(
        &summary(20_000, 0),
        AUDIENCE,
        HOME,
        &mut SeededChance::new(1),
    );
    let [batch] = &told[..] else {
        panic!("one batch")
    };
    assert!(batch.observations().is_empty());
    assert_eq!(batch.census().rows.len(), 1);
    assert_eq!(batch.header().endpoint_list_version, 3);
    assert_eq!(
        (batch.header().audience, batch.header().home),
        (AUDIENCE, HOME)
    );
}

proptest! {
    #[test]
    fn a_day_is_cut_and_united_without_loss(count in prop_oneof![0..5_usize, 1_020..1_030_usize, 2_040..2_060_usize]) {
        let summary = summary(20_000, count);
        let told = batches(&summary, AUDIENCE, HOME, &mut SeededChance::new(2));
        prop_assert_eq!(told.len(), count.div_ceil(limits::BATCH_OBSERVATIONS_MAX).max(1));
        let united: Vec<_> = told.iter().flat_map(|b| b.observations().iter().cloned()).collect();
        prop_assert_eq!(united, summary.observations);
        let ids: BTreeSet<_> = told.iter().map(|b| b.header().batch_id).collect();
        prop_assert_eq!(ids.len(), told.len());
        prop_assert!(told.iter().all(|b| b.census() == &summary.census));
        // Losses add, so they stand in one batch only.
        prop_assert_eq!(&told[0].coverage().losses, &summary.coverage.losses);
        prop_assert!(told[1..].iter().all(|b| b.coverage().losses.is_empty()));
    }

    #[test]
    fn moved_days_keep_their_distances(days in proptest::collection::btree_set(0..40_000_u32, 1..8), last in 0..40_000_u32) {
        let newest = *days.iter().max().expect("at least one");
        let mut moved: Vec<_> = days.iter().map(|day| summary(*day, 0)).collect();
        let left_out = move_to(&mut moved, Day::new(last).expect("in range"));
        let expected: Vec<_> =
            days.iter().filter_map(|day| (last + day).checked_sub(newest)).collect();
        prop_assert_eq!(left_out, days.len() - expected.len());
        prop_assert_eq!(moved.iter().map(|s| s.day.number()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn nothing_moves_nowhere() {
    assert_eq!(move_to(&mut Vec::new(), Day::LAST), 0);
}
