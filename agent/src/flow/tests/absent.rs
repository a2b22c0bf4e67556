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
