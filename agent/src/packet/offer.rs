//! What the options of a SYN say of the segments to come (RFC 9293, section 3.2, and RFC 7323).
//!
//! Total on arbitrary bytes; what is cut or contradicts itself says nothing.

/// What one side says, when it opens or accepts, of the segments it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The longest segment: its payload and its options, in bytes.
    pub segment_bytes_max: u16,
    /// Segments may carry timestamps; they do when both sides say so.
    pub has_timestamps: bool,
}

/// Reads the options of a SYN; `None` where they do not say how long a segment may be.
#[must_use]
pub fn read(options: &[u8]) -> Option<Offer> {
    let (mut segment_bytes_max, mut has_timestamps) = (None, false);
    let mut rest = options;
    while let [kind, behind @ ..] = rest {
        rest = match *kind {
            END => break,
            PADDING => behind,
            kind => {
                let length = usize::from(*behind.first()?);
                let (option, behind) = rest.split_at_checked(length)?;
                match (kind, option) {
                    (SEGMENT_BYTES_MAX, [_, _, high, low]) => {
                        segment_bytes_max = Some(u16::from_be_bytes([*high, *low]));
                    }
                    (TIMESTAMPS, [_, _, _, ..]) => has_timestamps = true,
                    // A length that leaves out its own two bytes leads nowhere.
                    (_, [] | [_]) => return None,
                    _ => {}
                }
                behind
            }
        };
    }
    Some(Offer {
        segment_bytes_max: segment_bytes_max?,
        has_timestamps,
    })
}

// Numbers of IANA's registry of TCP options.
const END: u8 = 0;
const PADDING: u8 = 1;
const SEGMENT_BYTES_MAX: u8 = 2;
const TIMESTAMPS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINUX: [u8; 20] = [
        2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
    ];

    #[test]
    fn a_syn_says_how_long_segments_are_and_whether_they_are_timed() {
        let linux = Offer {
            segment_bytes_max: 1_460,
            has_timestamps: true,
        };
        assert_eq!(read(&LINUX), Some(linux));
        let plain = Offer {
            segment_bytes_max: 1_220,
            has_timestamps: false,
        };
        assert_eq!(read(&[1, 1, 2, 4, 4, 0xc4, 0, 8, 10]), Some(plain));
        for nothing in [
            &b""[..],
            &[1, 1],
            &[2, 4, 5],
            &[2],
            &[3, 0, 2, 4, 5, 5],
            &[9, 1],
        ] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_options_are_what_is_said_stands_in_them(
            options in prop::collection::vec(any::<u8>(), 0..44),
        ) {
            if let Some(offer) = read(&options) {
                let said = offer.segment_bytes_max.to_be_bytes();
                prop_assert!(options.windows(4).any(|option| option == [2, 4, said[0], said[1]]));
            }
        }

        #[test]
        fn a_cut_says_the_same_or_nothing(length in 0_usize..20) {
            let told = read(&LINUX[..length]);
            prop_assert!(told.is_none_or(|offer| offer.segment_bytes_max == 1_460));
        }
    }
}
