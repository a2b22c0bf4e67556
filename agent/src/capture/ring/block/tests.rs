use super::*;
use proptest::prelude::*;

/// A packet as the kernel lays it out: at multiples of 16 bytes, its address behind the header, the
/// frame behind that.
fn packet(frame: &[u8], hardware: u16, wire_bytes: u32, seconds: u32) -> Vec<u8> {
    let start = (ADDRESS + size_of::<sockaddr_ll>()).next_multiple_of(16) + 2;
    let mut packet = vec![0; (start + frame.len()).next_multiple_of(16)];
    let step = u32::try_from(packet.len()).expect("short");
    put(&mut packet, offset_of!(tpacket3_hdr, tp_next_offset), step);
    put(&mut packet, offset_of!(tpacket3_hdr, tp_sec), seconds);
    put(&mut packet, offset_of!(tpacket3_hdr, tp_nsec), 5);
    let captured = u32::try_from(frame.len()).expect("short");
    put(&mut packet, offset_of!(tpacket3_hdr, tp_snaplen), captured);
    put(&mut packet, offset_of!(tpacket3_hdr, tp_len), wire_bytes);
    let mac = u16::try_from(start).expect("short").to_ne_bytes();
    packet[offset_of!(tpacket3_hdr, tp_mac)..][..2].copy_from_slice(&mac);
    let at = ADDRESS + offset_of!(sockaddr_ll, sll_hatype);
    packet[at..at + 2].copy_from_slice(&hardware.to_ne_bytes());
    packet[start..][..frame.len()].copy_from_slice(frame);
    packet
}

fn put(bytes: &mut [u8], offset: usize, number: u32) {
    bytes[offset..offset + 4].copy_from_slice(&number.to_ne_bytes());
}

fn block(packets: &[Vec<u8>]) -> Vec<u8> {
    const HEADER: usize = offset_of!(tpacket_block_desc, hdr);
    let first = 48;
    let mut block = vec![0; first];
    let count = u32::try_from(packets.len()).expect("few");
    put(
        &mut block,
        HEADER + offset_of!(tpacket_hdr_v1, num_pkts),
        count,
    );
    put(
        &mut block,
        HEADER + offset_of!(tpacket_hdr_v1, offset_to_first_pkt),
        u32::try_from(first).expect("short"),
    );
    for packet in packets {
        block.extend(packet);
    }
    block.resize(block.len().max(4_096), 0);
    block
}

fn read(block: &[u8]) -> Vec<Result<Entry, Broken>> {
    read_telling(block, false)
}

fn read_telling(block: &[u8], tells_segments: bool) -> Vec<Result<Entry, Broken>> {
    let mut cursor = Cursor::new(block, tells_segments);
    std::iter::from_fn(|| cursor.next(block)).collect()
}

#[test]
fn packets_are_found_where_the_kernel_puts_them() {
    let block = block(&[
        packet(b"first", 1, 5, 1_700_000_000),
        packet(b"", 512, 60, 1_700_000_001),
        packet(b"the third", 801, 9_000, u32::MAX),
    ]);
    let entries: Vec<_> = read(&block)
        .into_iter()
        .map(|entry| entry.expect("whole"))
        .collect();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                &block[entry.bytes.clone()],
                entry.wire_len_bytes,
                entry.link,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (&b"first"[..], 5, Some(LinkType::ETHERNET)),
            (b"", 60, Some(LinkType::RAW)),
            (b"the third", 9_000, None),
        ]
    );
    assert_eq!(entries[0].time.nanos(), 1_700_000_000_000_000_005);
    assert_eq!(entries[2].time.seconds(), i64::from(u32::MAX));
}

#[test]
fn what_stands_before_a_packet_says_of_what_segments_it_is() {
    // The kind, and the bytes of each segment: a merged IPv4 stream, and one packet of leftovers.
    let preceded = |kind: u8, size: u16| {
        let mut packet = packet(b"a frame", 1, 9_000, 0);
        let start = usize::from(half(&packet, offset_of!(tpacket3_hdr, tp_mac)).expect("whole"));
        let header = &mut packet[start - SEGMENTS_BYTES..start];
        header[SEGMENTS_KIND] = kind;
        header[SEGMENT_SIZE..][..2].copy_from_slice(&size.to_ne_bytes());
        packet
    };
    let block = block(&[preceded(1, 1_448), preceded(0, 1_448), preceded(5, 0)]);
    let told = |tells_segments| -> Vec<_> {
        read_telling(&block, tells_segments)
            .into_iter()
            .map(|entry| entry.expect("whole").segment_bytes.map(NonZeroU16::get))
            .collect()
    };
    assert_eq!(told(true), [Some(1_448), None, None]);
    assert_eq!(told(false), [None, None, None]);
}

#[test]
fn a_packet_that_leads_out_of_its_block_ends_it() {
    let whole = packet(b"first", 1, 5, 0);
    let mut too_long = packet(b"second", 1, 6, 0);
    put(&mut too_long, offset_of!(tpacket3_hdr, tp_snaplen), 5_000);
    let third = packet(b"third", 1, 5, 0);
    let entries = read(&block(&[whole.clone(), too_long, third]));
    assert!(entries[0].is_ok());
    assert_eq!(entries[1..], [Err(Broken { packets: 2 })]);

    let mut astray = whole;
    put(
        &mut astray,
        offset_of!(tpacket3_hdr, tp_next_offset),
        u32::MAX,
    );
    let entries = read(&block(&[astray, packet(b"second", 1, 6, 0)]));
    assert_eq!(entries[1..], [Err(Broken { packets: 1 })]);
}

#[test]
fn an_outermost_tag_is_taken_out() {
    let addresses = *b"receivsender";
    for tag in [[0x81, 0x00], [0x88, 0xa8]] {
        let mut frame = [
            &addresses[..],
            &tag,
            &[0x00, 0x07],
            &[0x08, 0x00],
            b"payload",
        ]
        .concat();
        assert!(untag(&mut frame));
        assert_eq!(
            frame[usize::from(TAG_BYTES)..],
            [&addresses[..], &[0x08, 0x00], b"payload"].concat()
        );
    }
    let untagged = [&addresses[..], &[0x08, 0x00], b"payload"].concat();
    for frame in [&untagged[..], b"", b"receivsender\x81\x00\x00\x07\x08"] {
        let mut changed = frame.to_vec();
        assert!(!untag(&mut changed));
        assert_eq!(changed, frame);
    }
}

proptest! {
    #[test]
    fn whatever_a_block_says_nothing_lies_outside_it(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        packets in 0_u32..9,
        first in 0_u32..700,
        tells_segments in any::<bool>(),
    ) {
        const HEADER: usize = offset_of!(tpacket_block_desc, hdr);
        let mut block = bytes;
        if block.len() >= 48 {
            put(&mut block, HEADER + offset_of!(tpacket_hdr_v1, num_pkts), packets);
            put(&mut block, HEADER + offset_of!(tpacket_hdr_v1, offset_to_first_pkt), first);
            let entries = read_telling(&block, tells_segments);
            let lost: usize = entries
                .iter()
                .map(|entry| match entry {
                    Ok(entry) => usize::from(block.get(entry.bytes.clone()).is_some()),
                    Err(broken) => broken.packets as usize,
                })
                .sum();
            prop_assert_eq!(lost, packets as usize, "each is given or counted");
        }
    }
}
