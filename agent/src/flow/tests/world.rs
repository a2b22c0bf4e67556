//! Counters against a naive world: a kernel that counts, is read, is reset by others and loses words.

use super::counters::{kernel_bytes, tell, word};
use super::*;
use crate::capture::Path;
use phonehome_proto::observation::VolumeTrust;
use std::collections::BTreeMap;

/// What happens next. Slots are pairs of ends, and what connection they have at the moment.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A connection begins where there is none; whether the kernel's word of it arrives.
    Open { slot: u16, is_told: bool },
    /// It moves so many bytes up and down.
    Grow { slot: u16, bytes: [u64; 2] },
    /// It ends; whether the kernel's word arrives.
    Close { slot: u16, is_told: bool },
    /// The agent reads the whole table.
    Read,
    /// Somebody reads the whole table and sets it to zero, and the agent reads it after that.
    Reset,
    /// A frame of these ends passes the tap.
    Frame { slot: u16 },
    /// A day ends.
    Midnight,
}

#[derive(Clone, Copy)]
struct Live {
    id: u32,
    shown: [u64; 2],
    /// What it has moved since the agent began and before any word said that it moved anything.
    unheard: u64,
    is_heard: bool,
}

impl Live {
    /// A word was told of it; gives the bytes that are known to be by that.
    fn hear(&mut self) -> u64 {
        self.is_heard |= self.unheard > 0;
        std::mem::take(&mut self.unheard)
    }
}

/// The kernel, and what is true.
#[derive(Default)]
struct World {
    live: BTreeMap<u16, Live>,
    next_id: u32,
    /// Bytes each slot has moved since the agent began, but for connections it never heard of.
    moved: BTreeMap<u16, u64>,
    /// Frames of each slot that passed the tap.
    frames: BTreeMap<u16, u64>,
}

const SLOTS: u16 = 5;

/// Never closed and idle: whoever sets counters back is seen by it.
const PILOT: u16 = SLOTS;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..SLOTS, any::<bool>()).prop_map(|(slot, is_told)| Step::Open { slot, is_told }),
        6 => (0..SLOTS, 0_u64..5_000, 0_u64..5_000)
            .prop_map(|(slot, up, down)| Step::Grow { slot, bytes: [up, down] }),
        2 => (0..SLOTS, prop::bool::weighted(0.8))
            .prop_map(|(slot, is_told)| Step::Close { slot, is_told }),
        3 => Just(Step::Read),
        1 => Just(Step::Reset),
        3 => (0..SLOTS).prop_map(|slot| Step::Frame { slot }),
        1 => Just(Step::Midnight),
    ];
    prop::collection::vec(step, 0..120)
}

/// A word on the connection of a slot: each has a port of its own, and half of them are UDP.
fn word_on(slot: u16, live: Live, moment: Moment) -> Counters {
    let counted = (moment != Moment::New).then_some(live.shown);
    let counters = word(live.id, moment, counted);
    let mut client = counters.original.source;
    client.set_port(40_000 + slot);
    Counters {
        transport: if slot.is_multiple_of(2) {
            Transport::Tcp
        } else {
            Transport::Udp
        },
        original: Path {
            source: client,
            ..counters.original
        },
        reply: Path {
            destination: client,
            ..counters.reply
        },
        ..counters
    }
}

impl World {
    fn open(&mut self, slot: u16, shown: [u64; 2]) -> Option<Live> {
        if self.live.contains_key(&slot) {
            return None;
        }
        // Numbers come again, now and then for the same ends.
        self.next_id = (self.next_id + 1) % 4;
        let live = Live {
            id: u32::from(slot) * 4 + self.next_id,
            shown,
            unheard: 0,
            is_heard: false,
        };
        self.live.insert(slot, live);
        Some(live)
    }

    fn read(&mut self, table: &mut FlowTable, moment: Moment, flows: &mut Vec<Flow>) {
        for (slot, live) in &mut self.live {
            tell(table, &word_on(*slot, *live, moment));
            drain(table, flows);
            *self.moved.entry(*slot).or_default() += live.hear();
        }
        table.handle_sweep(word(0, Moment::New, None).time);
        drain(table, flows);
    }

    fn step(&mut self, step: Step, table: &mut FlowTable, flows: &mut Vec<Flow>) {
        match step {
            Step::Open { slot, is_told } => {
                if let Some(live) = self.open(slot, [0; 2])
                    && is_told
                {
                    tell(table, &word_on(slot, live, Moment::New));
                }
            }
            Step::Grow { slot, bytes } => {
                if let Some(live) = self.live.get_mut(&slot) {
                    live.shown = [live.shown[0] + bytes[0], live.shown[1] + bytes[1]];
                    live.unheard += bytes[0] + bytes[1];
                    if live.is_heard {
                        *self.moved.entry(slot).or_default() += live.hear();
                    }
                }
            }
            Step::Close { slot, is_told } => {
                if let Some(mut live) = self.live.remove(&slot)
                    && is_told
                {
                    tell(table, &word_on(slot, live, Moment::Over));
                    *self.moved.entry(slot).or_default() += live.hear();
                }
            }
            Step::Read => self.read(table, Moment::Ongoing, flows),
            Step::Reset => {
                for live in self.live.values_mut() {
                    live.shown = [0; 2];
                    live.unheard = 0;
                }
                self.read(table, Moment::Ongoing, flows);
            }
            Step::Frame { slot } => {
                let (phone, server) = ((PHONE, 40_000 + slot), (SERVER, 443));
                let segment = if slot.is_multiple_of(2) {
                    tcp(ACK, 1, 1)
                } else {
                    Segment::Udp { payload: b"" }
                };
                let frame = packet(0, phone, server, segment);
                table.handle_packet(&frame, frame.time);
                *self.frames.entry(slot).or_default() += 1;
            }
            Step::Midnight => table.cut(Timestamp::from_nanos(0)),
        }
        drain(table, flows);
    }
}

fn drain(table: &mut FlowTable, flows: &mut Vec<Flow>) {
    flows.extend(std::iter::from_fn(|| table.poll_expired()));
    let counts = table.counts();
    assert_eq!(
        counts.counters,
        counts.counters_applied + counts.unapplied.total()
    );
    assert_eq!(
        counts.kernel_bytes,
        counts.kernel_bytes_given + counts.kernel_bytes_held
    );
    assert_eq!(counts.packets, counts.packets_given + counts.packets_held);
    table.check();
}

proptest! {
    /// Whatever happens: no byte is counted twice, where a flow claims to be exact every byte is
    /// there, and what the tap saw goes beside it untouched.
    #[test]
    fn never_too_much_and_exact_only_where_it_is(
        steps in steps(),
        earlier in prop::collection::vec((0..SLOTS, 0_u64..9_000), 0..3),
    ) {
        let mut world = World::default();
        let mut table = FlowTable::new(LIMITS, 7);
        let mut flows = Vec::new();
        world.open(PILOT, [1_000_000; 2]);
        for (slot, shown) in earlier {
            world.open(slot, [shown; 2]);
        }
        world.read(&mut table, Moment::Before, &mut flows);
        for step in steps.iter().copied() {
            world.step(step, &mut table, &mut flows);
        }
        // A day's part that nothing was heard of is not given, and claims nothing.
        let is_one_day = !steps.iter().any(|step| matches!(step, Step::Midnight));
        for slot in 0..=PILOT {
            let close = Step::Close { slot, is_told: true };
            world.step(close, &mut table, &mut flows);
        }
        table.finish();
        drain(&mut table, &mut flows);

        for slot in 0..SLOTS {
            let own: Vec<_> = flows
                .iter()
                .filter(|flow| flow.client.port == 40_000 + slot)
                .collect();
            let frames: u64 = own.iter().map(|flow| flow.up.packets).sum();
            prop_assert_eq!(frames, world.frames.get(&slot).copied().unwrap_or(0));
            let counted: u64 = own.iter().map(|flow| kernel_bytes(flow)).sum();
            let moved = world.moved.get(&slot).copied().unwrap_or(0);
            prop_assert!(counted <= moved, "slot {}: {} of {}", slot, counted, moved);
            let is_exact = own
                .iter()
                .all(|flow| flow.kernel.is_some_and(|k| k.trust() == VolumeTrust::Exact));
            if is_one_day && !own.is_empty() && is_exact {
                prop_assert_eq!(counted, moved, "slot {} claims to be exact", slot);
            }
        }
    }
}
