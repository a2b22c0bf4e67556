//! Reading ahead: one thread reads a file and the headers in it, another looks at the packets.
//!
//! Takes an open file, gives its packets in its order. What is read ahead is bounded by
//! [`STRETCHES`], buffers that go round between the two: neither waits for the other as long as it is
//! not that far ahead. On a machine with a single processor one thread does both in turn.

use crate::capture::CaptureCounts;
use crate::capture::file::{Buffer, FileSource};
use crate::packet::key::{FlowKey, Side};
use crate::packet::{self, Packet, PacketCounts, Parcel};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Stretches of a file between the two threads, at most: four megabytes, and their packets; twice that where
/// records are large. With a quarter of them the two wait for each other more often: an eighth slower.
const STRETCHES: usize = 16;

/// Packets that lie together in a file, and the bytes they lie in.
struct Stretch {
    buffer: Buffer,
    packets: Vec<Parcel>,
}

/// Reads stretches, one after the other.
struct Reader {
    source: FileSource,
    counts: PacketCounts,
}

/// Reads a file to its end; `look` is shown each packet, and the key of its flow. Gives what became of its
/// records and of the frames in them.
pub(super) fn read(
    source: FileSource,
    mut look: impl FnMut(&Packet<'_>, (FlowKey, Side)),
) -> (CaptureCounts, PacketCounts) {
    let mut reader = Reader {
        source,
        counts: PacketCounts::default(),
    };
    let has_others = thread::available_parallelism().is_ok_and(|count| count.get() > 1);
    if !(has_others && in_two_threads(&mut reader, &mut look)) {
        let mut stretch = Stretch::new();
        while reader.fill(&mut stretch) {
            stretch.show(&mut look);
        }
    }
    (reader.source.counts().clone(), reader.counts)
}

/// Says whether there could be a second thread; if not, nothing was read.
fn in_two_threads(
    reader: &mut Reader,
    look: &mut impl FnMut(&Packet<'_>, (FlowKey, Side)),
) -> bool {
    thread::scope(|scope| {
        let (give, filled) = sync_channel(STRETCHES);
        let (give_back, empty) = sync_channel(STRETCHES);
        let reading = move || read_ahead(reader, &empty, &give);
        let thread = thread::Builder::new().name("reader".to_owned());
        let Ok(_) = thread.spawn_scoped(scope, reading) else {
            return false;
        };
        for _ in 0..STRETCHES {
            // Nobody takes any more once the file is at its end.
            let _ = give_back.send(Stretch::new());
        }
        for stretch in filled {
            stretch.show(look);
            let _ = give_back.send(stretch);
        }
        true
    })
}

fn read_ahead(reader: &mut Reader, empty: &Receiver<Stretch>, give: &SyncSender<Stretch>) {
    while let Ok(mut stretch) = empty.recv() {
        // Nobody listens where the other thread has failed.
        if !reader.fill(&mut stretch) || give.send(stretch).is_err() {
            return;
        }
    }
}

// === impl Reader ===

impl Reader {
    /// Reads the next stretch; `false` when there is none.
    fn fill(&mut self, stretch: &mut Stretch) -> bool {
        let Stretch { buffer, packets } = stretch;
        packets.clear();
        let mut may_go_on = true;
        while may_go_on && packets.is_empty() {
            may_go_on = self.source.fill(buffer, |frame, at| {
                // Twice the same, so that what nearly every frame holds stays in registers on its way.
                if let Some(packet) = packet::plain(frame) {
                    self.counts.count(&Ok(packet));
                    packets.push(Parcel::of(&packet, frame.bytes, at));
                } else if let Some(packet) = self.counts.read(frame) {
                    packets.push(Parcel::of(&packet, frame.bytes, at));
                }
            });
        }
        !packets.is_empty()
    }
}

// === impl Stretch ===

impl Stretch {
    fn new() -> Self {
        Self {
            buffer: Buffer::new(),
            packets: Vec::new(),
        }
    }

    /// Shows its packets, in the file's order.
    fn show(&self, look: &mut impl FnMut(&Packet<'_>, (FlowKey, Side))) {
        let memory = self.buffer.bytes();
        for parcel in &self.packets {
            look(&parcel.open(memory), parcel.key());
        }
    }
}
