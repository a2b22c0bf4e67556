//! MAC prefixes: what the maker's part of an address says.
//!
//! Takes an address that a maker gave (the locally-administered bit is 0), gives a [`Clue`]. The table
//! holds makers of phones only and is made by `data/make.sh`; whoever is not in it says nothing.

use super::{Clue, Family, weight};
use crate::packet::MacAddr;
use phonehome_proto::vendor::Vendor;

/// Rows of four bytes, sorted: the prefix, then owner * 4 + kind.
static TABLE: &[u8] = include_bytes!("../../data/oui.bin");

const ROW_BYTES: usize = 4;

// What a router has to carry.
const TABLE_BYTES_MAX: usize = 32 * 1024;
const _: () = assert!(TABLE.len() <= TABLE_BYTES_MAX && TABLE.len().is_multiple_of(ROW_BYTES));

/// What carries an organisation's prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing but phones.
    Phones,
    /// Phones, and tablets, watches, computers or televisions.
    Devices,
    /// Mostly something else, such as routers.
    Anything,
}

/// What the address says of its device.
pub(super) fn clue(mac: MacAddr) -> Option<Clue> {
    let (vendor, brand, kind) = if mac.is_local() {
        None
    } else {
        look_up(mac.prefix())
    }?;
    let clue = Clue {
        brand,
        ..Clue::toward(vendor, Family::MacPrefix)
    };
    Some(match kind {
        Kind::Phones => Clue {
            what: "only phones",
            nats: weight::DECISIVE,
            decisive: true,
            phone_nats: weight::PHONE_SURE,
            ..clue
        },
        Kind::Devices => Clue {
            what: "phones and other devices",
            nats: weight::PREFIX_OF_DEVICES,
            ..clue
        },
        Kind::Anything => Clue {
            what: "mostly other devices",
            nats: weight::PREFIX_OF_ANYTHING,
            phone_nats: weight::PHONE_UNLIKELY,
            ..clue
        },
    })
}

fn look_up(prefix: [u8; 3]) -> Option<(Vendor, Option<&'static str>, Kind)> {
    let (rows, _) = TABLE.as_chunks::<ROW_BYTES>();
    let at = rows
        .binary_search_by_key(&prefix, |&[a, b, c, _]| [a, b, c])
        .ok()?;
    let says = rows[at][3];
    let (vendor, brand) = Vendor::of_prefix_owner(says >> 2)?;
    let kind = match says & 3 {
        1 => Kind::Phones,
        2 => Kind::Devices,
        _ => Kind::Anything,
    };
    Some((vendor, brand, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::vendor::strange_prefixes;

    #[test]
    fn the_table_is_sorted_and_every_row_means_something() {
        let (rows, rest) = TABLE.as_chunks::<ROW_BYTES>();
        assert!(rest.is_empty());
        assert!(rows.len() > 5_000, "{} rows", rows.len());
        assert!(rows.is_sorted_by(|a, b| a[..3] < b[..3]));
        for row in rows {
            assert!(Vendor::of_prefix_owner(row[3] >> 2).is_some(), "{row:?}");
            assert!((1..=3).contains(&(row[3] & 3)), "{row:?}");
            // A group or local address is nobody's prefix.
            assert_eq!(row[0] & 0b11, 0, "{row:?}");
            assert!(!strange_prefixes().contains(&[row[0], row[1], row[2]]));
        }
        for vendor in Vendor::all() {
            assert!(
                rows.iter().any(|row| Vendor::of_prefix_owner(row[3] >> 2)
                    .is_some_and(|(owner, _)| owner == vendor)),
                "{vendor}"
            );
        }
    }

    #[test]
    fn phones_are_told_from_routers_of_the_same_firm() {
        let says = |prefix| look_up(prefix).map(|(vendor, _, kind)| (vendor.id(), kind));
        // Huawei Device Co., Ltd., Huawei Technologies Co., Ltd., Apple, Xiaomi Communications.
        assert_eq!(says([0x04, 0x4f, 0xaa]), None);
        assert_eq!(says([0x00, 0xe0, 0xfc]), Some(("huawei", Kind::Anything)));
        assert_eq!(says([0x04, 0xb1, 0x67]), Some(("xiaomi", Kind::Phones)));
        assert_eq!(says([0x70, 0x3e, 0xac]), Some(("apple", Kind::Devices)));
        // Murata makes modules for everybody.
        assert_eq!(says([0x40, 0xf3, 0x08]), None);
        // Google's by the registry, and on the virtual interfaces of every Android phone.
        assert_eq!(says([0x00, 0x1a, 0x11]), None);
    }

    #[test]
    fn brands_with_prefixes_of_their_own_are_told_apart() {
        let says = |prefix| look_up(prefix).map(|(vendor, brand, _)| (vendor.id(), brand));
        // Guangdong OPPO Mobile, Realme Chongqing, OnePlus Technology, Tecno Mobile.
        assert_eq!(says([0x84, 0x6f, 0xce]), Some(("oppo", None)));
        assert_eq!(says([0x0c, 0x90, 0x43]), Some(("oppo", Some("realme"))));
        assert_eq!(says([0x2c, 0xa7, 0xef]), Some(("oppo", Some("OnePlus"))));
        assert_eq!(says([0x04, 0x01, 0xbb]), Some(("transsion", Some("TECNO"))));
    }

    #[test]
    fn a_made_up_address_is_not_looked_up() {
        let real = MacAddr::new([0x04, 0xb1, 0x67, 1, 2, 3]);
        let made_up = MacAddr::new([0x06, 0xb1, 0x67, 1, 2, 3]);
        assert!(clue(real).is_some_and(|clue| clue.decisive));
        assert_eq!(clue(made_up), None);
    }
}
