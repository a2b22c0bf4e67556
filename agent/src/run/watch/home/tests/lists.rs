//! A list that comes while days are told.

use super::*;
use crate::endpoints::tests::{list, release_key, shelf, signed};

/// The founding name is a row of its own on the compiled-in list, and below another row on this one.
fn later() -> &'static EndpointList {
    let sealed = signed(&list(2, Some(1), Vec::new()), &release_key());
    shelf().open(&sealed).expect("it is signed and sound").list
}

impl Bench {
    fn goes_by(&mut self, list: &'static EndpointList) {
        let mut household = self.home.household.clone();
        household.rules.list = list;
        self.home.heed(Wish::Household(household), self.reading());
    }

    /// Day by day: the list it went by, and the endpoints told of.
    fn told_by(&self) -> Vec<(u32, Vec<&'static str>)> {
        let summaries = self.days.iter().filter_map(|day| summary(day));
        summaries
            .map(|summary| {
                let observations = summary.observations.iter();
                let endpoints = observations.map(|told| told.key().endpoint.pattern());
                (summary.endpoint_list_version, endpoints.collect())
            })
            .collect()
    }
}

#[test]
fn a_day_goes_by_one_list_and_the_next_by_the_new_one() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    bench.talk();
    bench.pass(HOUR);
    bench.goes_by(later());
    bench.talk();
    bench.pass(DAY);
    bench.talk();
    bench.pass(DAY);
    // On Monday the old row is told of no more, since the household took it back; and nothing else is in
    // its place, since the day began without it.
    assert_eq!(bench.told_by(), [(1, vec![]), (2, vec!["*.intl.miui.com"])]);
    let sights = bench.home.sights();
    assert_eq!((sights.contacts, sights.observed), (3, 1));
}

#[test]
fn what_both_lists_have_is_told_all_day() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    bench.goes_by(later());
    bench.talk();
    bench.pass(HOUR);
    bench.goes_by(EndpointList::compiled_in());
    bench.talk();
    bench.pass(DAY);
    bench.talk();
    bench.pass(DAY);
    assert_eq!(
        bench.told_by(),
        [
            (2, vec!["*.intl.miui.com"]),
            (1, vec!["sa.api.intl.miui.com"])
        ]
    );
    assert_eq!(bench.home.sights().observed, 3);
}
