use super::*;
use proptest::prelude::*;

/// 2026-11-23T00:00:00Z, a Monday.
const MONDAY: i64 = 1_795_392_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A router's clocks, moved by hand.
struct Router {
    wall: i64,
    boot: u64,
    is_synchronised: bool,
    marker: Option<i64>,
    dating: Dating,
}

impl Router {
    fn boots_at(wall: i64) -> Self {
        let mut router = Self {
            wall,
            boot: 20,
            is_synchronised: false,
            marker: None,
            dating: Dating::default(),
        };
        assert_eq!(router.look(), None);
        router
    }

    fn reading(&self) -> Reading {
        Reading {
            wall: Timestamp::from_seconds(self.wall),
            since_boot_nanos: self.boot * 1_000_000_000,
            is_synchronised: self.is_synchronised,
        }
    }

    fn look(&mut self) -> Option<Turn> {
        let marker = self.marker.map(Timestamp::from_seconds);
        self.dating.look(self.reading(), marker)
    }

    fn pass(&mut self, seconds: i64) -> Option<Turn> {
        self.wall += seconds;
        self.boot += u64::try_from(seconds).expect("time passes forwards");
        self.look()
    }

    /// Somebody sets the clock; the kernel forgets that it was disciplined.
    fn set(&mut self, wall: i64) {
        self.wall = wall;
        self.is_synchronised = false;
    }

    fn now(&self) -> i64 {
        self.dating.now(self.reading()).seconds()
    }

    fn learn(&mut self, theirs: i64) -> Option<Turn> {
        let reading = self.reading();
        let word = Word {
            theirs: Timestamp::from_seconds(theirs),
            since_boot_nanos: reading.since_boot_nanos,
        };
        self.dating.learn(word, reading)
    }

    fn judge(&self, theirs: i64) -> Judgement {
        let reading = self.reading();
        self.dating
            .stand(reading)
            .judge(Timestamp::from_seconds(theirs), reading)
    }
}

fn seconds(turn: Option<Turn>) -> Option<(bool, i64)> {
    turn.map(|turn| {
        let is_first = matches!(turn, Turn::Dated { .. });
        (is_first, turn.moved_nanos() / 1_000_000_000)
    })
}

#[test]
fn a_boot_in_1970_has_no_dates_until_the_clock_is_set() {
    let mut router = Router::boots_at(20);
    assert_eq!(router.pass(40), None);
    assert!(!router.dating.is_dated());
    assert_eq!(router.now(), 60);
    // NTP steps, and a little later says that it holds: nothing is dated in between.
    router.set(MONDAY);
    assert_eq!(router.look(), None);
    assert_eq!(router.now(), 60);
    assert_eq!(router.pass(5), None);
    router.is_synchronised = true;
    // What was seen at "20" was seen 45 seconds before.
    let turn = router.look();
    assert_eq!(seconds(turn), Some((true, MONDAY + 5 - 65)));
    assert_eq!(
        moved(
            Timestamp::from_seconds(20),
            turn.expect("dated").moved_nanos()
        ),
        Timestamp::from_seconds(MONDAY - 40)
    );
    assert_eq!(router.now(), MONDAY + 5);
    assert_eq!(router.pass(60), None);
}

#[test]
fn a_boot_three_days_in_the_past_has_no_dates_either() {
    let mut router = Router::boots_at(MONDAY - 3 * DAY);
    assert_eq!(router.pass(100), None);
    assert!(!router.dating.is_dated());
    // The hotplug script touches its file after the step.
    router.set(MONDAY);
    assert_eq!(router.look(), None);
    router.marker = Some(MONDAY);
    assert_eq!(seconds(router.look()), Some((true, 3 * DAY - 100)));
    assert_eq!(router.now(), MONDAY);
}

#[test]
fn a_disciplined_kernel_in_1970_is_not_believed() {
    let mut router = Router::boots_at(20);
    router.is_synchronised = true;
    router.marker = Some(20);
    assert_eq!(router.look(), None);
    assert!(!router.dating.is_dated());
}

#[test]
fn a_clock_set_forward_over_midnight_is_followed_once_it_is_vouched_for() {
    let mut router = Router::boots_at(MONDAY - HOUR);
    router.is_synchronised = true;
    assert_eq!(seconds(router.look()), Some((true, 0)));
    router.set(MONDAY + HOUR);
    assert_eq!(router.look(), None);
    assert_eq!(router.now(), MONDAY - HOUR);
    router.pass(10);
    router.is_synchronised = true;
    assert_eq!(seconds(router.look()), Some((false, 2 * HOUR)));
    assert_eq!(router.now(), MONDAY + HOUR + 10);
}

#[test]
fn a_clock_set_back_by_hand_is_not_followed() {
    let mut router = Router::boots_at(MONDAY);
    router.marker = Some(MONDAY);
    router.look();
    router.set(MONDAY - 5 * DAY);
    for _ in 0..100 {
        assert_eq!(router.pass(60), None);
    }
    assert_eq!(router.now(), MONDAY + 6_000);
    assert!(router.dating.is_dated());
    // NTP puts it right again: nothing moves.
    router.set(MONDAY + 6_000);
    router.is_synchronised = true;
    assert_eq!(router.look(), None);
    // But one that NTP itself sets back is.
    router.set(MONDAY - DAY);
    router.is_synchronised = true;
    assert_eq!(seconds(router.look()), Some((false, -DAY - 6_000)));
}

#[test]
fn the_collectors_word_dates_where_nobody_else_does() {
    let mut router = Router::boots_at(20);
    router.pass(100);
    assert_eq!(router.judge(MONDAY), Judgement::Better);
    assert_eq!(seconds(router.learn(MONDAY)), Some((true, MONDAY - 120)));
    assert_eq!(
        (router.now(), router.judge(MONDAY + 299)),
        (MONDAY, Judgement::Agrees)
    );
    // It is only the router's wall clock that is set now; the dates were right.
    router.pass(HOUR);
    router.set(MONDAY + HOUR + 7);
    assert_eq!(router.look(), None);
    router.is_synchronised = true;
    assert_eq!(seconds(router.look()), Some((false, 7)));
    // From here on the collector can be contradicted, and no longer overrules.
    assert_eq!(router.judge(MONDAY), Judgement::Differs { seconds: -3_607 });
    assert_eq!(router.learn(MONDAY), None);
}

#[test]
fn a_collector_that_corrects_itself_is_followed_while_it_is_all_there_is() {
    let mut router = Router::boots_at(20);
    router.learn(MONDAY);
    assert_eq!(router.judge(MONDAY + DAY), Judgement::Better);
    assert_eq!(seconds(router.learn(MONDAY + DAY)), Some((false, DAY)));
}

proptest! {
    /// Home time never jumps but where a turn says so.
    #[test]
    fn home_time_goes_on_evenly(steps in prop::collection::vec((0_i64..1_000, any::<bool>(), -400_000_i64..400_000, any::<bool>(), prop::option::of(0_i64..5)), 1..60)) {
        let mut router = Router::boots_at(MONDAY);
        for (passed, is_set, by, is_synchronised, marker) in steps {
            let before = router.now();
            if is_set {
                router.set(router.wall + by);
            }
            router.is_synchronised = is_synchronised;
            router.marker = marker;
            let moved = router.pass(passed).map_or(0, |turn| turn.moved_nanos() / 1_000_000_000);
            prop_assert_eq!(router.now(), before + passed + moved);
        }
    }
}
