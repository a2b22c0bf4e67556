//! What only a home that is watched live knows: two accounts, open days, decisions that change, and
//! clocks that are not set yet.

use super::*;

const LOWER: Account = Account {
    trust: VolumeTrust::LowerBound,
    ..account(1, 1)
};

/// A contact on day `n`, so many seconds after its midnight.
fn contact_on(n: u32, seconds: i64) -> Contact<'static> {
    Contact {
        start: day(n).start().plus_seconds(seconds),
        ..contact()
    }
}

fn connections(summary: Option<DaySummary>) -> Vec<Magnitude> {
    let observations = summary.into_iter().flat_map(|summary| summary.observations);
    observations.map(|seen| seen.connections()).collect()
}

#[test]
fn the_kernels_account_is_taken_and_never_added_to_the_taps() {
    let told = |tap, kernel| {
        let contact = Contact {
            tap,
            kernel,
            ..contact()
        };
        let seen = observed(&contact, tag(1))[0].observations[0].clone();
        (seen.bytes_up(), seen.bytes_down(), seen.volume_trust())
    };
    let (few, many) = (account(1_500, 700), account(90_000, 4_000_000));
    assert_eq!(
        told(few, Some(many)),
        (
            Magnitude::of(90_000),
            Magnitude::of(4_000_000),
            VolumeTrust::Exact
        )
    );
    assert_eq!(told(many, Some(LOWER)).0, Magnitude::of(1));
    assert_eq!(told(many, Some(LOWER)).2, VolumeTrust::LowerBound);
    assert_eq!(told(few, None).0, Magnitude::of(1_500));
    assert_eq!(told(LOWER, Some(many)).2, VolumeTrust::Exact);
}

#[test]
fn what_is_answered_inside_the_home_stays_there() {
    let mut observer = observer(Purpose::Observatory);
    let intercepted = Contact {
        is_intercepted: true,
        ..contact()
    };
    assert_eq!(
        observer.handle_contact(&intercepted, Some(tag(1))),
        Err(Withheld::Intercepted)
    );
    let (days, _) = observer.finish(Source::Tap, &verdicts());
    assert!(days[0].observations.is_empty());
}

#[test]
fn one_day_closes_while_the_next_is_running() {
    let mut observer = observer(Purpose::Observatory);
    for n in [0, 0, 1] {
        let decision = observer.handle_contact(&contact_on(n, 60), Some(tag(1)));
        assert_eq!(decision, Ok(()));
    }
    assert_eq!(observer.open_days().collect::<Vec<_>>(), [day(0), day(1)]);
    let first = observer.close_day(day(0), Source::ConntrackAndTap, &verdicts());
    assert_eq!(connections(first), [Magnitude::of(2)]);
    assert_eq!(observer.open_days().collect::<Vec<_>>(), [day(1)]);

    // What comes late is withheld, and a late loss goes to the next day.
    assert_eq!(
        observer.handle_contact(&contact_on(0, 70), Some(tag(1))),
        Err(Withheld::DayClosed)
    );
    observer.handle_loss(day(0), Loss::CapturePackets, 5);
    assert_eq!(observer.close_day(day(0), Source::Tap, &verdicts()), None);
    assert_eq!(
        observer.handle_contact(&contact_on(1, 70), Some(tag(1))),
        Ok(())
    );
    let second = observer.close_day(day(1), Source::Tap, &verdicts());
    let losses = second
        .as_ref()
        .map(|summary| summary.coverage.losses.clone());
    assert_eq!(
        losses,
        Some(BTreeMap::from([(Loss::CapturePackets, Magnitude::of(5))]))
    );
    assert_eq!(connections(second), [Magnitude::of(2)]);
    let counts = observer.counts();
    assert_eq!(counts.contacts, counts.observed + counts.withheld.total());
}

#[test]
fn a_device_denied_later_takes_its_contacts_along() {
    let mut observer = observer(Purpose::Observatory);
    for device in [1, 1, 6] {
        let decision = observer.handle_contact(&contact_on(0, 60), Some(tag(device)));
        assert_eq!(decision, Ok(()));
    }
    observer.set_rules(Rules {
        allowed: BTreeSet::from([tag(6)]),
        purpose: Purpose::Observatory,
        list: EndpointList::compiled_in(),
    });
    let summary = observer.close_day(day(0), Source::Tap, &verdicts());
    let phones = summary.as_ref().map(|summary| summary.census.rows.len());
    assert_eq!(
        (phones, connections(summary)),
        (Some(1), vec![Magnitude::of(1)])
    );
    let counts = observer.counts();
    assert_eq!(
        (counts.observed, counts.withheld.of(Withheld::NotAllowed)),
        (1, 2)
    );
}

#[test]
fn contacts_of_a_wrong_clock_wait_and_come_out_on_the_right_days() {
    let rules = observer(Purpose::Observatory).rules;
    let mut observer = Observer::undated(rules);
    let booted = |seconds| Contact {
        start: Timestamp::from_seconds(seconds),
        ..contact()
    };
    // One o'clock in the morning of day 0 is two hours after booting in 1970.
    let delta_seconds = day(0).start().seconds() + 3_600 - 7_200;
    for seconds in [60, 3_599, 3_601, 7_000] {
        assert_eq!(
            observer.handle_contact(&booted(seconds), Some(tag(1))),
            Ok(())
        );
    }
    assert_eq!(
        observer.handle_contact(&booted(60), Some(tag(9))),
        Err(Withheld::NotAllowed)
    );
    let nameless = Contact {
        name: None,
        ..booted(61)
    };
    assert_eq!(observer.handle_contact(&nameless, Some(tag(1))), Ok(()));
    observer.handle_presence(Day::new(0).expect("a day"), tag(1));
    observer.handle_loss(Day::new(0).expect("a day"), Loss::CapturePackets, 3);
    assert_eq!(observer.open_days().count(), 0);

    observer.redate(delta_seconds * 1_000_000_000, day(0));
    let days: Vec<_> = observer.open_days().collect();
    assert_eq!(days, [day(0).previous(), day(0)]);
    for on in days {
        let summary = observer.close_day(on, Source::Tap, &verdicts());
        let losses = summary
            .as_ref()
            .map(|summary| summary.coverage.losses.len());
        assert_eq!(losses, Some(usize::from(on == day(0))));
        assert_eq!(connections(summary), [Magnitude::of(2)]);
    }
    let counts = observer.counts();
    assert_eq!(
        (counts.observed, counts.withheld.of(Withheld::NoName)),
        (4, 1)
    );
}

#[test]
fn what_waits_for_its_date_is_bounded() {
    let rules = observer(Purpose::Observatory).rules;
    let mut observer = Observer::undated(rules);
    for n in 0..UNDATED_MAX + 3 {
        let expected = if n < UNDATED_MAX {
            Ok(())
        } else {
            Err(Withheld::Undated)
        };
        assert_eq!(observer.handle_contact(&contact(), Some(tag(1))), expected);
    }
    observer.redate(0, day(0));
    let summary = observer.close_day(day(0), Source::Tap, &verdicts());
    let losses = summary.map(|summary| summary.coverage.losses);
    assert_eq!(
        losses,
        Some(BTreeMap::from([(Loss::UndatedFlows, Magnitude::of(3))]))
    );
}
