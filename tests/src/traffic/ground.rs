//! The networks servers stand in: real addresses whose country the embedded tables tell.
//!
//! The tests of this module hold the choice to those tables: an address that moves fails here, not
//! as a strange number on a map.

use super::city::{self, City};
use super::phone::pick;
use phonehome_proto::chance::SeededChance;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Servers of one operator in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ground {
    /// AS45102: the network of the founding story.
    AlibabaSingapore,
    /// AS45102.
    AlibabaRussia,
    /// AS45102.
    AlibabaGermany,
    /// AS59019, Kingsoft.
    KingsoftChina,
    /// AS6619, Samsung SDS.
    SamsungKorea,
    /// AS16509, Amazon.
    AmazonIreland,
    /// AS16509.
    AmazonUnitedStates,
    /// AS16509.
    AmazonGermany,
    /// AS16509.
    AmazonSingapore,
    /// AS16509.
    AmazonIndia,
    /// AS714.
    AppleUnitedStates,
    /// AS15169.
    GoogleUnitedStates,
    /// AS136907, Huawei International.
    HuaweiSingapore,
    /// AS136907.
    HuaweiRussia,
    /// AS55990, Huawei Cloud.
    HuaweiChina,
    /// AS8075: where DuckDuckGo stands.
    MicrosoftIreland,
    /// RFC 5737: sites that do not exist.
    Nowhere,
}

impl Ground {
    /// Every ground.
    pub const ALL: [Self; 17] = [
        Self::AlibabaSingapore,
        Self::AlibabaRussia,
        Self::AlibabaGermany,
        Self::KingsoftChina,
        Self::SamsungKorea,
        Self::AmazonIreland,
        Self::AmazonUnitedStates,
        Self::AmazonGermany,
        Self::AmazonSingapore,
        Self::AmazonIndia,
        Self::AppleUnitedStates,
        Self::GoogleUnitedStates,
        Self::HuaweiSingapore,
        Self::HuaweiRussia,
        Self::HuaweiChina,
        Self::MicrosoftIreland,
        Self::Nowhere,
    ];

    /// Where it is.
    #[must_use]
    pub const fn city(self) -> City {
        match self {
            Self::AlibabaSingapore | Self::AmazonSingapore | Self::HuaweiSingapore => {
                city::SINGAPORE
            }
            Self::AlibabaRussia | Self::HuaweiRussia => city::MOSCOW,
            Self::AlibabaGermany | Self::AmazonGermany | Self::Nowhere => city::FRANKFURT,
            Self::KingsoftChina | Self::HuaweiChina => city::BEIJING,
            Self::SamsungKorea => city::SEOUL,
            Self::AmazonIreland | Self::MicrosoftIreland => city::DUBLIN,
            Self::AmazonUnitedStates => city::BOARDMAN,
            Self::AmazonIndia => city::MUMBAI,
            Self::AppleUnitedStates | Self::GoogleUnitedStates => city::CUPERTINO,
        }
    }

    /// The /24s its servers stand in.
    #[must_use]
    pub const fn prefixes(self) -> &'static [[u8; 3]] {
        match self {
            Self::AlibabaSingapore => &[[161, 117, 70], [161, 117, 95], [8, 219, 12], [8, 219, 90]],
            Self::AlibabaRussia => &[[8, 209, 1], [8, 209, 4], [8, 209, 16]],
            Self::AlibabaGermany => &[[47, 91, 80], [8, 211, 40]],
            Self::KingsoftChina => &[[120, 92, 44]],
            Self::SamsungKorea => &[[182, 193, 4], [182, 195, 9], [165, 213, 20]],
            Self::AmazonIreland => &[[34, 250, 7], [52, 211, 40]],
            Self::AmazonUnitedStates => &[[44, 230, 9], [52, 36, 11]],
            Self::AmazonGermany => &[[63, 178, 3], [3, 120, 5], [52, 29, 8]],
            Self::AmazonSingapore => &[[47, 128, 22], [18, 140, 30], [13, 250, 9]],
            Self::AmazonIndia => &[[65, 0, 12], [13, 233, 5], [15, 207, 8]],
            Self::AppleUnitedStates => &[[17, 57, 144], [17, 248, 190], [17, 32, 194]],
            Self::GoogleUnitedStates => &[[34, 112, 9], [142, 251, 100]],
            Self::HuaweiSingapore => &[[111, 91, 12], [188, 239, 20], [114, 119, 180]],
            Self::HuaweiRussia => &[[159, 138, 200], [122, 8, 160]],
            Self::HuaweiChina => &[[121, 36, 40], [121, 36, 118]],
            Self::MicrosoftIreland => &[[52, 142, 124]],
            Self::Nowhere => &[[192, 0, 2], [198, 51, 100], [203, 0, 113]],
        }
    }

    /// The /48 of its servers, where they have one that the tables know.
    #[must_use]
    pub const fn prefix_v6(self) -> Option<[u16; 3]> {
        match self {
            Self::GoogleUnitedStates => Some([0x2607, 0xf8b0, 0x4005]),
            Self::AppleUnitedStates => Some([0x2620, 0x0149, 0x0af0]),
            _ => None,
        }
    }

    /// One of its servers, over IPv6 when asked for and possible.
    #[must_use]
    pub fn server(self, over_v6: bool, chance: &mut SeededChance) -> IpAddr {
        if let Some([a, b, c]) = self.prefix_v6().filter(|_| over_v6) {
            let host = u16::try_from(chance.below(200)).expect("below 200");
            return IpAddr::V6(Ipv6Addr::new(a, b, c, 0x80c, 0, 0, 0, 0x2000 + host));
        }
        let [a, b, c] = pick(chance, self.prefixes());
        IpAddr::V4(Ipv4Addr::new(
            a,
            b,
            c,
            u8::try_from(2 + chance.below(250)).expect("below 252"),
        ))
    }
}
