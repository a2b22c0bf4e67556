//! Connections that nobody can tell the owner of for a while, because their network is gone.

use super::counters::{kernel_bytes, tell, word};
use super::*;
use crate::capture::Moment;
use phonehome_proto::observation::VolumeTrust;

#[test]
fn what_is_counted_while_its_network_is_gone_is_left_out_and_never_twice() {
    let mut table = FlowTable::new(LIMITS, 7);
    tell(&mut table, &word(1, Moment::New, None));
    tell(&mut table, &word(1, Moment::Ongoing, Some([1_000, 2_000])));
    // Whole readings show it, more of them than a connection is remembered for without a word.
    for reading in 1..=4 {
        let grown = word(1, Moment::Ongoing, Some([1_000 + reading * 100, 2_000]));
        table.pass_over(&grown);
        table.handle_sweep(grown.time);
        assert!(table.poll_expired().is_none());
    }
    tell(&mut table, &word(1, Moment::Over, Some([1_450, 2_070])));
    table.finish();
    let flow = table.poll_expired().expect("a flow");
    assert!(table.poll_expired().is_none());
    assert_eq!(kernel_bytes(&flow), 3_000 + 50 + 70);
    let kernel = flow.kernel.expect("the kernel counted it");
    assert_eq!(kernel.trust(), VolumeTrust::LowerBound);
}

#[test]
fn what_was_counted_before_the_agent_began_never_counts_though_its_network_came_later() {
    let mut table = FlowTable::new(LIMITS, 7);
    let before = word(1, Moment::Before, Some([70_000, 90_000]));
    table.pass_over(&before);
    table.handle_sweep(before.time);
    // It goes on while there is no network still, and then there is one.
    table.pass_over(&word(1, Moment::Ongoing, Some([70_100, 90_000])));
    table.handle_sweep(before.time);
    tell(
        &mut table,
        &word(1, Moment::Ongoing, Some([70_150, 90_500])),
    );
    tell(&mut table, &word(1, Moment::Over, Some([70_160, 90_500])));
    table.finish();
    let flow = table.poll_expired().expect("a flow");
    assert!(table.poll_expired().is_none());
    assert_eq!(kernel_bytes(&flow), 50 + 500 + 10);
    let kernel = flow.kernel.expect("the kernel counted it");
    assert_eq!(kernel.trust(), VolumeTrust::LowerBound);
}

#[test]
fn what_began_while_no_network_was_known_counts_from_its_beginning() {
    let mut table = FlowTable::new(LIMITS, 7);
    table.pass_over(&word(1, Moment::New, None));
    table.pass_over(&word(1, Moment::Ongoing, Some([100, 200])));
    tell(&mut table, &word(1, Moment::Over, Some([150, 500])));
    table.finish();
    let flow = table.poll_expired().expect("a flow");
    assert_eq!(kernel_bytes(&flow), 650);
}

#[test]
fn where_earlier_connections_find_no_room_others_are_in_doubt() {
    let limits = FlowLimits {
        connections_max: 1,
        ..LIMITS
    };
    let mut table = FlowTable::new(limits, 7);
    table.pass_over(&word(1, Moment::Before, Some([10, 10])));
    table.pass_over(&word(2, Moment::Before, Some([70_000, 90_000])));
    table.pass_over(&word(1, Moment::Over, Some([10, 10])));
    tell(
        &mut table,
        &word(2, Moment::Ongoing, Some([70_100, 90_000])),
    );
    tell(&mut table, &word(2, Moment::Over, Some([70_150, 90_000])));
    table.finish();
    let flow = table.poll_expired().expect("a flow");
    assert_eq!(
        kernel_bytes(&flow),
        50,
        "what came before its first word is in doubt"
    );
}
