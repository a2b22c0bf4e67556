//! A household that forgets a list after something was seen by it.

use super::super::*;
use super::office::{Office, away, back};
use crate::endpoints::tests::{NEW, list, release_key, row, signed};
use phonehome_proto::census::{Basis, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Service, VolumeTrust,
};
use phonehome_proto::vendor::Vendor;

impl Office {
    fn loads(&self) -> anyhow::Result<()> {
        let sealed = signed(
            &list(2, None, vec![row(NEW, "new.miui.com")]),
            &release_key(),
        );
        Ok(self
            .home
            .environment
            .state
            .claim()?
            .set_endpoints(&sealed)?)
    }

    fn forgets(&mut self) -> anyhow::Result<()> {
        self.home.environment.state.claim()?.forget_endpoints()?;
        self.post.look_again(&mut self.home.environment);
        Ok(())
    }

    /// A day of the phone, told by the loaded list: it spoke to an old endpoint and to a new one.
    fn day_by_the_list(&self, day: Day) -> anyhow::Result<ClosedDay> {
        let present = Present::of(&self.home.environment)?;
        let vendor = Vendor::from_id("xiaomi").expect("listed");
        let observation = |number| {
            let key = ObservationKey {
                vendor,
                basis: Basis::Declared,
                endpoint: present.endpoint(number).expect("listed"),
                destination: Destination::Prefix(Prefix::V4([9, 9, 9])),
                service: Service::Tls,
                named_by: NamedBy::Sni,
            };
            Observation::new(key, [Magnitude::of(1); 3], VolumeTrust::Exact, None)
        };
        let mut closed = self.closed(day, BTreeMap::new());
        let part = closed.part.as_mut().expect("the phone was there");
        let row = CensusRow {
            phones: PhoneCount::One,
            unnamed: UnnamedShare::Below10,
        };
        part.summary.census.rows = [((vendor, Basis::Declared), row)].into();
        part.summary.endpoint_list_version = 2;
        part.summary.observations = vec![observation(1)?, observation(NEW)?];
        Ok(closed)
    }

    /// What waits in the spool: the list version, and the endpoints told of.
    fn waits(&mut self) -> anyhow::Result<Vec<(u32, Vec<u32>)>> {
        let state = &self.home.environment.state;
        let ours = state.our_keys()?.expect("a home");
        let present = Present::of(&self.home.environment)?;
        let mut told = Vec::new();
        for slot in self.post.spool.slots() {
            let sealed = self.post.spool.read(slot, &ours)?.expect("whole");
            let batch = present.batch(&sealed).expect("it can be read");
            let endpoints = batch.observations().iter();
            let endpoints = endpoints.map(|told| told.key().endpoint.number());
            told.push((batch.header().endpoint_list_version, endpoints.collect()));
        }
        Ok(told)
    }
}

#[tokio::test]
async fn a_morning_by_a_list_outlasts_a_restart_and_not_its_list() -> anyhow::Result<()> {
    for is_forgotten in [false, true] {
        let mut office = Office::open(SpoolLimits::default()).await?;
        away(&office.desk);
        office.loads()?;
        let today = day_of(office.now());
        let closed = office.day_by_the_list(today)?;
        office.post.take(closed);
        office.restart().await?;
        if is_forgotten {
            office.forgets()?;
        }
        office.live(13).await;
        let new = (!is_forgotten).then_some(NEW);
        let endpoints = [1].into_iter().chain(new).collect();
        // The second part of the day is the one of the office's own.
        assert_eq!(office.waits()?, [(1, vec![]), (2, endpoints)]);
    }
    Ok(())
}

#[tokio::test]
async fn a_sealed_day_stays_at_home_with_the_endpoint_it_tells_of() -> anyhow::Result<()> {
    for is_restarted in [false, true] {
        let mut office = Office::open(SpoolLimits::default()).await?;
        away(&office.desk);
        office.loads()?;
        let yesterday = day_of(office.now()).previous();
        let closed = office.day_by_the_list(yesterday)?;
        office.post.take(closed);
        office.live(13).await;
        assert_eq!(office.waits()?.len(), 2);
        office.forgets()?;
        if is_restarted {
            office.restart().await?;
        }
        office.step().await;
        // What tells of nothing new stays where it is.
        assert_eq!(office.waits()?, [(1, vec![])]);
        assert_eq!(office.lost("spool_unlisted"), 1);
        back(&office.desk);
        office.live(30).await;
        assert!(office.waits()?.is_empty());
    }
    Ok(())
}
