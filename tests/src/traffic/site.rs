//! Whom phones speak to: their makers' endpoints on the public list, and everybody else.
//!
//! What stands in [`repertoire`] is on Phonehome's list and may be reported; what stands in
//! [`UNLISTED`] must never leave a home, and the privacy suite looks for it everywhere.

use super::ground::Ground;
use super::phone::Make;

/// Which of its maker's regional back ends a phone was set up for. A phone can have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Spoken to by every phone of the make.
    World,
    /// The make's services for Asia and the rest of the world.
    Singapore,
    /// For Russia and its neighbours.
    Russia,
    /// For India.
    India,
    /// For Europe.
    Europe,
    /// For America.
    America,
}

/// How a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    Tls,
    /// The same with a post-quantum key share: a hello of two segments.
    TlsPostQuantum,
    /// TLS with a GREASE Encrypted ClientHello extension, as Chrome's stack sends.
    TlsGreaseEch,
    /// QUIC version 1.
    Quic,
    /// The same with a hello of two datagrams.
    QuicPostQuantum,
    /// Clear-text HTTP, as connectivity checks use.
    Http,
}

/// Something a phone does again and again.
#[derive(Clone, Copy, Debug)]
pub struct Contact {
    /// The server's name.
    pub host: &'static str,
    /// The name it is an alias of, if its operator answers with one.
    pub alias: Option<&'static str>,
    /// Where the server stands.
    pub ground: Ground,
    /// How it is spoken to.
    pub carrier: Carrier,
    /// Application bytes from the phone.
    pub bytes_up: u32,
    /// Application bytes to the phone.
    pub bytes_down: u32,
    /// How often a day.
    pub times_daily: u32,
    /// Whether it follows each page the phone's browser opens, instead of the time of day.
    pub follows_browsing: bool,
}

/// What a phone of this make does for its maker in these regions, and for Google if it is Android.
pub fn repertoire(make: Make, regions: &[Region]) -> impl Iterator<Item = Contact> {
    let android = make != Apple;
    ROWS.iter()
        .filter(move |row| {
            row.0 == make && (row.1 == World || regions.contains(&row.1))
                || android && row.0 == Google && make != Google && row.1 == World
        })
        .map(|row| row.2)
}

/// A site that is on no list.
pub const fn page(
    host: &'static str,
    ground: Ground,
    carrier: Carrier,
    bytes_down: u32,
) -> Contact {
    Contact {
        bytes_down,
        ..contact(host, ground, carrier, 1_800, 1)
    }
}

/// What people read at home. Nobody's business: none of these names may leave.
pub const UNLISTED: [Contact; 8] = [
    page("duckduckgo.com", Ground::MicrosoftIreland, Tls, 24_000),
    page(
        "links.duckduckgo.com",
        Ground::MicrosoftIreland,
        TlsPostQuantum,
        9_000,
    ),
    page(
        "www.evening-gazette.example",
        Ground::Nowhere,
        TlsGreaseEch,
        42_000,
    ),
    page(
        "sports.evening-gazette.example",
        Ground::Nowhere,
        Quic,
        30_000,
    ),
    page("forum.quiet-illness.example", Ground::Nowhere, Tls, 16_000),
    page(
        "login.village-bank.example",
        Ground::Nowhere,
        TlsPostQuantum,
        11_000,
    ),
    page(
        "plain.weather-at-home.example",
        Ground::Nowhere,
        Http,
        6_000,
    ),
    page(
        "video.long-evenings.example",
        Ground::Nowhere,
        QuicPostQuantum,
        60_000,
    ),
];

const fn contact(
    host: &'static str,
    ground: Ground,
    carrier: Carrier,
    bytes_up: u32,
    times_daily: u32,
) -> Contact {
    Contact {
        host,
        alias: None,
        ground,
        carrier,
        bytes_up,
        bytes_down: 1_200,
        times_daily,
        follows_browsing: false,
    }
}

const fn aliased(row: Contact, alias: &'static str) -> Contact {
    Contact {
        alias: Some(alias),
        ..row
    }
}

const fn after_pages(row: Contact) -> Contact {
    Contact {
        follows_browsing: true,
        ..row
    }
}

use Carrier::{Http, Quic, QuicPostQuantum, Tls, TlsGreaseEch, TlsPostQuantum};
use Make::{Apple, Google, Huawei, Oppo, Samsung, Vivo, Xiaomi};
use Region::{America, Europe, India, Russia, Singapore, World};

/// Make, region, contact. Host names are those of the public endpoint list; a test holds them to it.
const ROWS: &[(Make, Region, Contact)] = &[
    // The founding story: each page opened in the maker's browser is told to Singapore.
    (
        Xiaomi,
        Singapore,
        after_pages(contact(
            "sa.api.intl.miui.com",
            Ground::AlibabaSingapore,
            Tls,
            1_400,
            0,
        )),
    ),
    (
        Xiaomi,
        Singapore,
        contact(
            "data.mistat.intl.xiaomi.com",
            Ground::AlibabaSingapore,
            TlsPostQuantum,
            3_000,
            2,
        ),
    ),
    (
        Xiaomi,
        Singapore,
        contact(
            "tracking.intl.miui.com",
            Ground::AlibabaSingapore,
            Tls,
            2_200,
            1,
        ),
    ),
    (
        Xiaomi,
        Russia,
        aliased(
            contact(
                "data.mistat.rus.xiaomi.com",
                Ground::AlibabaRussia,
                Tls,
                2_600,
                2,
            ),
            "rus-mistat.edge-alias.example",
        ),
    ),
    (
        Xiaomi,
        Russia,
        contact(
            "tracking.rus.miui.com",
            Ground::AlibabaRussia,
            Quic,
            1_900,
            1,
        ),
    ),
    (
        Xiaomi,
        India,
        contact(
            "data.mistat.india.xiaomi.com",
            Ground::AmazonIndia,
            Tls,
            2_400,
            2,
        ),
    ),
    (
        Xiaomi,
        World,
        contact("connect.rom.miui.com", Ground::KingsoftChina, Http, 300, 2),
    ),
    (
        Samsung,
        World,
        contact(
            "dc.di.atlas.samsung.com",
            Ground::AmazonUnitedStates,
            Tls,
            2_800,
            2,
        ),
    ),
    (
        Samsung,
        World,
        contact(
            "api.samsungosp.com",
            Ground::SamsungKorea,
            TlsPostQuantum,
            900,
            1,
        ),
    ),
    (
        Samsung,
        Europe,
        contact(
            "diagmon-serviceapi.samsungdm.com",
            Ground::AmazonIreland,
            Tls,
            1_700,
            1,
        ),
    ),
    (
        Huawei,
        World,
        contact(
            "connectivitycheck.platform.hicloud.com",
            Ground::HuaweiSingapore,
            Http,
            280,
            2,
        ),
    ),
    (
        Huawei,
        World,
        contact(
            "metrics-dra.dt.hicloud.com",
            Ground::HuaweiSingapore,
            Tls,
            2_900,
            2,
        ),
    ),
    (
        Huawei,
        Russia,
        contact(
            "datacollector-drru.dt.hicloud.com",
            Ground::HuaweiRussia,
            Tls,
            2_500,
            2,
        ),
    ),
    (
        Huawei,
        World,
        contact("grs.dbankcloud.com", Ground::HuaweiChina, Tls, 700, 1),
    ),
    (
        Apple,
        World,
        contact(
            "xp.apple.com",
            Ground::AppleUnitedStates,
            TlsPostQuantum,
            2_100,
            2,
        ),
    ),
    (
        Apple,
        World,
        contact(
            "gateway.icloud.com",
            Ground::AppleUnitedStates,
            Quic,
            1_500,
            2,
        ),
    ),
    (
        Apple,
        World,
        contact("gsa.apple.com", Ground::AppleUnitedStates, Tls, 1_000, 1),
    ),
    (
        Vivo,
        World,
        contact(
            "asia-stsdk.vivoglobal.com",
            Ground::AmazonSingapore,
            Tls,
            2_300,
            2,
        ),
    ),
    (
        Vivo,
        India,
        contact(
            "in-stsdk.vivoglobal.com",
            Ground::AmazonIndia,
            Tls,
            2_300,
            2,
        ),
    ),
    (
        Oppo,
        World,
        contact(
            "obus-dc-sg.heytapmobile.com",
            Ground::AmazonSingapore,
            Tls,
            2_000,
            2,
        ),
    ),
    (
        Oppo,
        India,
        contact(
            "obus-dc-in.heytapmobile.com",
            Ground::AmazonIndia,
            Tls,
            2_000,
            2,
        ),
    ),
    (
        Oppo,
        Europe,
        contact(
            "conn-service-eu-04.allawnos.com",
            Ground::AmazonGermany,
            Http,
            260,
            2,
        ),
    ),
    (
        Google,
        World,
        contact(
            "play.googleapis.com",
            Ground::GoogleUnitedStates,
            QuicPostQuantum,
            1_600,
            1,
        ),
    ),
    (
        Google,
        World,
        contact(
            "app-measurement.com",
            Ground::GoogleUnitedStates,
            TlsGreaseEch,
            1_200,
            1,
        ),
    ),
    (
        Google,
        America,
        contact("mtalk.google.com", Ground::GoogleUnitedStates, Tls, 600, 1),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::endpoint::EndpointId;

    #[test]
    fn makers_endpoints_are_listed_and_pages_are_not() {
        for (make, _, contact) in ROWS {
            let endpoint = EndpointId::of_name(contact.host);
            let owner = endpoint.and_then(EndpointId::owner_vendor);
            assert_eq!(owner, Some(make.vendor()), "{} is {make:?}'s", contact.host);
        }
        for contact in &UNLISTED {
            assert_eq!(EndpointId::of_name(contact.host), None, "{}", contact.host);
        }
    }
}
