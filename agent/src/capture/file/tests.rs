use super::*;
use crate::tally::Reason;
use proptest::prelude::*;
use std::io::Cursor;

/// What a file gave: frames as (captured bytes, link, wire length, time in nanoseconds), and losses.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    frames: Vec<FrameGiven>,
    lost: Vec<Lost>,
}

fn read(file: &[u8]) -> Result<Given, CaptureError> {
    let mut source = FileSource::read(Box::new(Cursor::new(file.to_vec())))?;
    let mut given = Given::default();
    loop {
        match source.next() {
            Event::Frame(frame) => given.frames.push((
                frame.bytes.to_vec(),
                frame.link.0,
                frame.wire_len_bytes,
                frame.time.nanos(),
            )),
            Event::Lost { count, why } => {
                assert_eq!(count, 1);
                given.lost.push(why);
            }
            Event::Counters(_) | Event::Swept | Event::Idle => {
                panic!("a file has neither counters nor patience")
            }
            Event::End => break,
        }
    }
    assert!(matches!(source.next(), Event::End), "the end is for ever");
    assert_eq!(source.counts().frames, given.frames.len() as u64);
    for &why in Lost::ALL {
        let seen = given.lost.iter().filter(|&&lost| lost == why).count();
        assert_eq!(source.counts().lost.of(why), seen as u64);
    }
    assert_eq!(
        filled(file),
        given.frames,
        "they stay where they are said to"
    );
    Ok(given)
}

type FrameGiven = (Vec<u8>, u16, u32, i64);

/// The frames as they lie in buffers once these are full.
fn filled(file: &[u8]) -> Vec<FrameGiven> {
    let mut source = FileSource::read(Box::new(Cursor::new(file.to_vec()))).expect("it was read");
    let (mut buffer, mut frames) = (Buffer::new(), Vec::new());
    let mut may_go_on = true;
    while may_go_on {
        let mut places = Vec::new();
        may_go_on = source.fill(&mut buffer, |frame, at| {
            let told = (frame.link.0, frame.wire_len_bytes, frame.time.nanos());
            places.push((at, frame.bytes.len(), told));
        });
        frames.extend(places.into_iter().map(|(at, length, (link, wire, time))| {
            (buffer.bytes()[at..][..length].to_vec(), link, wire, time)
        }));
    }
    assert_eq!(source.counts().frames, frames.len() as u64);
    frames
}

/// Numbers of a file, in its byte order.
#[derive(Clone, Copy, Debug)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Self::Big => number.to_be_bytes(),
            Self::Little => number.to_le_bytes(),
        }
    }

    fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Big => number.to_be_bytes(),
            Self::Little => number.to_le_bytes(),
        }
    }

    fn i64(self, number: i64) -> [u8; 8] {
        match self {
            Self::Big => number.to_be_bytes(),
            Self::Little => number.to_le_bytes(),
        }
    }
}

fn pcap_header(order: Order, magic: u32, link: u32) -> Vec<u8> {
    [
        order.u32(magic).as_slice(),
        &order.u16(2),
        &order.u16(4),
        &[0; 8],
        &order.u32(65_535),
        &order.u32(link),
    ]
    .concat()
}

fn pcap_record(order: Order, seconds: u32, ticks: u32, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let captured = u32::try_from(bytes.len()).expect("short");
    [
        order.u32(seconds),
        order.u32(ticks),
        order.u32(captured),
        order.u32(wire),
    ]
    .concat()
    .into_iter()
    .chain(bytes.iter().copied())
    .collect()
}

/// A file of frames `[1]`, `[2, 2]`, `[3, 3, 3]`, ..., one a second.
fn pcap_of(frames: u8) -> Vec<u8> {
    let mut file = pcap_header(Order::Little, MICROS, 1);
    for number in 1..=frames {
        let bytes = vec![number; number.into()];
        file.extend(pcap_record(
            Order::Little,
            1_700_000_000 + u32::from(number),
            0,
            number.into(),
            &bytes,
        ));
    }
    file
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    let bytes = u32::try_from(12 + body.len() + padding.len()).expect("short");
    [
        order.u32(kind).as_slice(),
        &order.u32(bytes),
        body,
        &padding,
        &order.u32(bytes),
    ]
    .concat()
}

fn section(order: Order) -> Vec<u8> {
    let body = [
        order.u32(0x1a2b_3c4d).as_slice(),
        &order.u16(1),
        &order.u16(0),
        &[0xff; 8],
    ]
    .concat();
    block(order, 0x0a0d_0d0a, &body)
}

fn interface(order: Order, link: u16, snap_bytes: u32, options: &[u8]) -> Vec<u8> {
    let body = [
        order.u16(link).as_slice(),
        &[0; 2],
        &order.u32(snap_bytes),
        options,
    ]
    .concat();
    block(order, 1, &body)
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
    let length = u16::try_from(value.len()).expect("short");
    [
        order.u16(code).as_slice(),
        &order.u16(length),
        value,
        &padding,
    ]
    .concat()
}

fn enhanced(order: Order, interface: u32, ticks: u64, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let (high, low) = ((ticks >> 32) as u32, (ticks & 0xffff_ffff) as u32);
    let captured = u32::try_from(bytes.len()).expect("short");
    let fixed = [interface, high, low, captured, wire]
        .map(|number| order.u32(number))
        .concat();
    block(order, 6, &[&fixed, bytes].concat())
}

const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

#[test]
fn reads_pcap_of_every_kind() {
    for order in [Order::Big, Order::Little] {
        for (magic, nanos) in [(MICROS, 5_000), (NANOS, 5)] {
            // The upper half of the link type field is about checksums.
            let mut file = pcap_header(order, magic, 0x0400_0071);
            file.extend(pcap_record(order, 7, 5, 1_500, &[1, 2, 3]));
            file.extend(pcap_record(order, u32::MAX, 0, 0, &[]));
            let given = read(&file).expect("a capture");
            let frames = vec![
                (vec![1, 2, 3], 113, 1_500, 7_000_000_000 + nanos),
                (vec![], 113, 0, i64::from(u32::MAX) * 1_000_000_000),
            ];
            assert_eq!(
                given,
                Given {
                    frames,
                    lost: vec![]
                },
                "{order:?} {magic:x}"
            );
        }
    }
    let order = Order::Little;
    let mut file = pcap_header(order, MODIFIED, 1);
    let mut record = pcap_record(order, 7, 5, 60, &[]);
    record[8..12].copy_from_slice(&order.u32(2));
    file.extend([record.as_slice(), &[0; 8], &[8, 9]].concat());
    assert_eq!(
        read(&file).expect("a capture").frames,
        [(vec![8, 9], 1, 60, 7_000_005_000)]
    );
}

#[test]
fn reads_pcapng_of_both_orders_in_one_file() {
    let mut file = Vec::new();
    for order in [Order::Little, Order::Big] {
        let power_of_two = option(order, 9, &[0x80 | 10]);
        let nanos_later = [option(order, 9, &[9]), option(order, 14, &order.i64(100))].concat();
        file.extend(section(order));
        file.extend(interface(order, 1, 0, &[]));
        file.extend(interface(order, 101, 4, &power_of_two));
        file.extend(interface(order, 113, 0, &nanos_later));
        file.extend(block(order, 0x0bad, b"somebody's own block"));
        file.extend(block(order, 0x1234_5678, b"a kind to come"));
        file.extend(enhanced(order, 0, 1_000_001, 9, &[1; 5]));
        file.extend(enhanced(order, 1, 1_024 + 512, 4, &[2; 4]));
        file.extend(enhanced(order, 2, 3_000_000_004, 4, &[3; 4]));
        let old = [
            order.u16(1).as_slice(),
            &order.u16(0xffff),
            &[0; 4],
            &order.u32(2_048),
            &order.u32(3),
            &order.u32(70),
            &[4; 3],
        ]
        .concat();
        file.extend(block(order, 2, &old));
        file.extend(block(
            order,
            3,
            &[order.u32(2).as_slice(), &[5; 2]].concat(),
        ));
    }
    let given = read(&file).expect("a capture");
    let one_section = [
        (vec![1; 5], 1, 9, 1_000_001_000),
        (vec![2; 4], 101, 4, 1_500_000_000),
        (vec![3; 4], 113, 4, 103_000_000_004),
        (vec![4; 3], 101, 70, 2_000_000_000),
        (vec![5; 2], 1, 2, 0),
    ];
    assert_eq!(given.lost, []);
    assert_eq!(given.frames, [one_section.clone(), one_section].concat());
}

#[test]
fn a_simple_block_holds_no_more_than_its_interface_captures() {
    let order = Order::Little;
    let body = [order.u32(1_500).as_slice(), &[6; 64]].concat();
    let file = [
        section(order),
        interface(order, 1, 62, &[]),
        block(order, 3, &body),
    ]
    .concat();
    assert_eq!(
        read(&file).expect("a capture").frames,
        [(vec![6; 62], 1, 1_500, 0)]
    );
}

#[test]
fn says_why_nothing_can_be_read() {
    let refusal = |file: &[u8]| read(file).expect_err("no capture").to_string();
    assert_eq!(refusal(b""), "it is empty");
    assert_eq!(
        refusal(b"GET / HTTP/1.1\r\nHost: example.com\r\n"),
        "it is neither a pcap nor a pcapng file"
    );
    assert_eq!(
        refusal(&pcap_header(Order::Big, MICROS, 1)[..20]),
        "it ends within its file header"
    );
    assert_eq!(
        refusal(&section(Order::Big)[..20]),
        "it ends within its file header"
    );
    let nowhere = FileSource::open(Path::new("/nonexistent/capture.pcap"));
    assert!(matches!(nowhere, Err(CaptureError::Unreadable(_))));
}

#[test]
fn a_file_header_alone_is_a_capture_of_nothing() {
    assert_eq!(read(&pcap_of(0)).expect("a capture"), Given::default());
    assert_eq!(
        read(&section(Order::Little)).expect("a capture"),
        Given::default()
    );
}

#[test]
fn a_cut_file_gives_all_but_the_last_frame() {
    let file = pcap_of(3);
    // Within the last record's data, and within its header.
    for missing in [1, 3, 10] {
        let given = read(&file[..file.len() - missing]).expect("a capture");
        assert_eq!(
            (given.frames.len(), given.lost),
            (2, vec![Lost::Cut]),
            "{missing}"
        );
    }
    let order = Order::Big;
    let last = enhanced(order, 0, 2, 4, &[2; 4]);
    let file = [
        section(order),
        interface(order, 1, 0, &[]),
        enhanced(order, 0, 1, 4, &[1; 4]),
        last,
    ]
    .concat();
    for missing in [1, 20, 34] {
        let given = read(&file[..file.len() - missing]).expect("a capture");
        assert_eq!(
            (given.frames.len(), given.lost),
            (1, vec![Lost::Cut]),
            "{missing}"
        );
    }
}

#[test]
fn a_wrong_length_costs_its_own_record_only() {
    // The second of six records claims to be too long, longer than the file, or a little longer.
    let second = 24 + 16 + 1;
    for wrong in [u32::MAX, 200_000, 7] {
        let mut file = pcap_of(6);
        file[second + 8..second + 12].copy_from_slice(&wrong.to_le_bytes());
        let given = read(&file).expect("a capture");
        let whole: Vec<_> = given
            .frames
            .iter()
            .filter(|(bytes, ..)| bytes.len() >= 4)
            .collect();
        assert!(whole.len() >= 3, "{wrong}: {given:?}");
        assert!(given.lost.contains(&Lost::Corrupt), "{wrong}: {given:?}");
    }
}

#[test]
fn what_only_looks_like_a_record_is_none() {
    let order = Order::Little;
    let start = 1_700_000_000;
    // Within the data of a record with a wrong length stands something like a record's header.
    let decoy = [pcap_record(order, start, 0, 3, &[9; 3]), vec![0xee; 40]].concat();
    let mut broken = pcap_record(order, start, 0, 59, &decoy);
    broken[8..12].fill(0xff);
    let file = [
        pcap_header(order, MICROS, 1),
        pcap_record(order, start, 0, 4, &[1; 4]),
        broken,
        pcap_record(order, start, 0, 4, &[3; 4]),
        pcap_record(order, start, 0, 4, &[4; 4]),
    ];
    let given = read(&file.concat()).expect("a capture");
    let numbers: Vec<_> = given.frames.iter().map(|(bytes, ..)| bytes[0]).collect();
    assert_eq!((numbers, given.lost), (vec![1, 3, 4], vec![Lost::Corrupt]));
}

#[test]
fn a_broken_block_costs_itself_only() {
    let order = Order::Little;
    let frame = |number: u8| enhanced(order, 0, number.into(), 4, &[number; 4]);
    let head = [section(order), interface(order, 1, 0, &[])].concat();
    // Its own length, its captured length, its length repeated at the end.
    for (at, wrong) in [(4, 0xffff_fff0), (4, 7), (4, 400_000), (20, 90), (32, 4)] {
        let mut broken = frame(2);
        broken[at..at + 4].copy_from_slice(&order.u32(wrong));
        let file = [head.clone(), frame(1), broken, frame(3), frame(4)].concat();
        let given = read(&file).expect("a capture");
        let numbers: Vec<_> = given.frames.iter().map(|(bytes, ..)| bytes[0]).collect();
        assert_eq!(
            (numbers, given.lost),
            (vec![1, 3, 4], vec![Lost::Corrupt]),
            "{at} {wrong}"
        );
    }
}

#[test]
fn frames_of_unknown_interfaces_are_counted() {
    let order = Order::Little;
    let file = [
        section(order),
        enhanced(order, 0, 0, 4, &[1; 4]),
        interface(order, 1, 0, &[]),
    ];
    // Interfaces belong to their section.
    let next = [section(order), enhanced(order, 0, 0, 4, &[1; 4])];
    let given = read(&[file.concat(), next.concat()].concat()).expect("a capture");
    assert_eq!(given.lost, [Lost::UnknownInterface; 2]);
}

#[test]
fn a_block_larger_than_the_buffer_does_not_end_the_reading() {
    let order = Order::Little;
    let frame = enhanced(order, 0, 0, 4, &[1; 4]);
    let head = [section(order), interface(order, 1, 0, &[])].concat();
    for (kind, lost) in [(6, vec![Lost::Corrupt]), (0x0a, vec![])] {
        let large = block(order, kind, &vec![0; BUFFER_BYTES]);
        let given = read(&[head.as_slice(), &large, &frame].concat()).expect("a capture");
        assert_eq!((given.frames.len(), given.lost), (1, lost), "{kind}");
    }
}

#[test]
fn a_failing_disk_is_not_the_end_of_the_file() {
    struct Failing(Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::Error::other("worn out")),
                read => Ok(read),
            }
        }
    }
    let mut source =
        FileSource::read(Box::new(Failing(Cursor::new(pcap_of(2))))).expect("a capture");
    assert!(matches!(source.next(), Event::Frame(_)));
    assert!(matches!(source.next(), Event::Frame(_)));
    assert!(matches!(
        source.next(),
        Event::Lost {
            why: Lost::ReadFailed,
            ..
        }
    ));
    assert!(matches!(source.next(), Event::End));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn large_files_give_every_frame(sizes in prop::collection::vec(0_usize..70_000, 1..40)) {
        let order = Order::Big;
        let mut file = pcap_header(order, MICROS, 1);
        for size in &sizes {
            file.extend(pcap_record(order, 1, 1, 9, &vec![7; *size]));
        }
        let given = read(&file).expect("a capture");
        prop_assert_eq!(given.lost, vec![]);
        let given: Vec<_> = given.frames.iter().map(|(bytes, ..)| bytes.len()).collect();
        prop_assert_eq!(given, sizes);
    }

    #[test]
    fn arbitrary_bytes_end(kind in 0..4, bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let head = match kind {
            0 => vec![],
            1 => pcap_header(Order::Little, MICROS, 1),
            2 => section(Order::Little),
            _ => [section(Order::Big), interface(Order::Big, 1, 0, &[])].concat(),
        };
        let _ = read(&[head, bytes].concat());
    }

    #[test]
    fn one_flipped_byte_costs_at_most_its_neighbourhood(at in 24_usize..2_000, flip in 1_u8..) {
        let mut file = pcap_of(60);
        let at = at.min(file.len() - 1);
        file[at] ^= flip;
        let given = read(&file).expect("a capture");
        // Damage can hide a record, or make one out of another's data; it never ends the reading.
        prop_assert!(given.frames.len() >= 50, "{} frames, lost {:?}", given.frames.len(), given.lost);
    }
}
