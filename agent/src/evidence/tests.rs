//! Cases as homes see them: what a device gives away, and what may be said of it.

mod circularity;

use super::*;
use crate::packet::dhcp::{Message, MessageKind};
use proptest::prelude::*;
use std::borrow::Cow;
use std::net::Ipv4Addr;

/// A device, by what it gives away.
#[derive(Clone, Copy, Default)]
struct Case {
    mac: Option<[u8; 3]>,
    host_name: Option<&'static str>,
    class: Option<&'static str>,
    wanted: Option<&'static [u8]>,
    models: &'static [&'static str],
    agent: Option<&'static str>,
    servers: &'static [&'static str],
}

const MADE_UP: [u8; 3] = [0xae, 0x9c, 0xd5];
const XIAOMI: [u8; 3] = [0x04, 0xb1, 0x67];
const APPLE: [u8; 3] = [0x70, 0x3e, 0xac];
const SAMSUNG: [u8; 3] = [0x00, 0x00, 0xf0];
const HUAWEI_ROUTERS: [u8; 3] = [0x00, 0xe0, 0xfc];
/// Realme Chongqing.
const REALME: [u8; 3] = [0x0c, 0x90, 0x43];
/// Google's, on the virtual interfaces of Android.
const TUN: [u8; 3] = [0x00, 0x1a, 0x11];
const IOS: &[u8] = &[1, 121, 3, 6, 15, 108, 114, 119, 252];
const MACOS: &[u8] = &[1, 121, 3, 6, 15, 108, 114, 119, 252, 95, 44, 46];
const ANDROID: &[u8] = &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108];
const WINDOWS: &[u8] = &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];

fn made_of(clues: impl Into<Vec<Clue>>) -> Evidence {
    Evidence {
        clues: clues.into(),
        ..Evidence::default()
    }
}

impl Case {
    fn evidence(&self) -> Evidence {
        let mut evidence = self.mac.map_or_else(Evidence::default, |[a, b, c]| {
            Evidence::of_mac(MacAddr::new([a, b, c, 1, 2, 3]))
        });
        evidence.handle_dhcp(&dhcp(self.host_name, self.class, self.wanted));
        let models = self.models.iter().map(|model| Box::from(*model)).collect();
        let announced = crate::packet::mdns::Message {
            models,
            ..Default::default()
        };
        mdns::clues(&announced, |clue| evidence.learn(clue));
        if let Some(agent) = self.agent {
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n");
            evidence.handle_packet(&request(head.as_bytes()));
        }
        for server in self.servers {
            evidence.handle_name(server);
        }
        evidence
    }

    fn verdict(&self) -> Verdict {
        Verdict::of(&self.evidence(), None)
    }
}

fn dhcp(
    host_name: Option<&'static str>,
    class: Option<&'static str>,
    wanted: Option<&'static [u8]>,
) -> Message<'static> {
    let borrowed = |text: &'static str| Cow::Borrowed(text.as_bytes());
    Message {
        kind: Some(MessageKind::Request),
        client: None,
        address: Ipv4Addr::UNSPECIFIED,
        host_name: host_name.map(borrowed),
        requested_address: None,
        parameters: wanted.map(Cow::Borrowed),
        vendor_class: class.map(borrowed),
    }
}

fn request(payload: &[u8]) -> Packet<'_> {
    use crate::packet::{Link, Segment, TcpFlags, TcpSegment};
    Packet {
        time: phonehome_proto::time::Timestamp::from_seconds(0),
        link: Link::default(),
        source: Ipv4Addr::new(192, 168, 1, 2).into(),
        destination: Ipv4Addr::new(198, 51, 100, 1).into(),
        source_port: 40_000,
        destination_port: 80,
        ip_bytes: 40,
        wire_packets: 1,
        segment: Segment::Tcp(TcpSegment {
            seq: 1,
            ack: 1,
            flags: TcpFlags::ACK,
            options: b"",
            payload,
            head: TcpSegment::head_of(payload),
        }),
    }
}

use phonehome_proto::census::Basis::{self, Circular, Decisive, Inferred};

/// A story, what the device gives, who it is said to be, the likeliest, and whether it is a phone.
type Story = (
    &'static str,
    Case,
    Option<(&'static str, Basis)>,
    Option<&'static str>,
    Option<bool>,
);

#[rustfmt::skip]
fn stories() -> Vec<Story> {
    let none = Case::default();
    vec![
        ("nothing at all", none, None, None, None),
        ("an iPhone as it comes", Case { mac: Some(APPLE), host_name: Some("Lucas-iPhone"), wanted: Some(IOS), ..none },
            Some(("apple", Inferred)), Some("apple"), Some(true)),
        ("an iPhone with a made-up MAC", Case { mac: Some(MADE_UP), host_name: Some("iPhone"), wanted: Some(IOS), ..none },
            Some(("apple", Inferred)), Some("apple"), Some(true)),
        ("an iPhone its owner renamed", Case { mac: Some(APPLE), host_name: Some("Shen"), wanted: Some(IOS), ..none },
            Some(("apple", Inferred)), Some("apple"), Some(true)),
        ("Apple's prefix and nothing else", Case { mac: Some(APPLE), ..none }, None, Some("apple"), None),
        ("a Mac", Case { mac: Some(APPLE), wanted: Some(MACOS), ..none },
            Some(("apple", Inferred)), Some("apple"), Some(false)),
        ("a Mac that is called a phone", Case { mac: Some(APPLE), host_name: Some("iPhone"), wanted: Some(MACOS), ..none },
            Some(("apple", Inferred)), Some("apple"), Some(false)),
        ("an iPad that says so", Case { mac: Some(APPLE), wanted: Some(IOS), models: &["iPad13,1"], ..none },
            Some(("apple", Inferred)), Some("apple"), Some(false)),
        ("a Nokia that resolves captive.apple.com", Case { mac: Some(MADE_UP), class: Some("android-dhcp-9"), wanted: Some(ANDROID), servers: &["captive.apple.com"], ..none },
            None, None, None),
        ("a Xiaomi by its prefix", Case { mac: Some(XIAOMI), ..none }, Some(("xiaomi", Decisive)), Some("xiaomi"), Some(true)),
        ("a Xiaomi that also asks for Huawei's services", Case { mac: Some(XIAOMI), servers: &["grs.hicloud.com", "sa.api.intl.miui.com"], ..none },
            Some(("xiaomi", Decisive)), Some("xiaomi"), Some(true)),
        ("a Redmi with a made-up MAC and its factory name", Case { mac: Some(MADE_UP), host_name: Some("Redmi-Note-11"), wanted: Some(ANDROID), ..none },
            None, Some("xiaomi"), Some(true)),
        ("the same, asking for its maker's services", Case { mac: Some(MADE_UP), host_name: Some("Redmi-Note-11"), wanted: Some(ANDROID), servers: &["sa.api.intl.miui.com"], ..none },
            Some(("xiaomi", Circular)), Some("xiaomi"), Some(true)),
        ("a made-up MAC known by its servers only", Case { mac: Some(MADE_UP), wanted: Some(ANDROID), servers: &["sa.api.intl.miui.com", "data.mistat.intl.xiaomi.com"], ..none },
            None, Some("xiaomi"), Some(true)),
        ("a Huawei by option 60", Case { mac: Some(MADE_UP), class: Some("HUAWEI:android:VOG"), wanted: Some(ANDROID), ..none },
            Some(("huawei", Decisive)), Some("huawei"), Some(true)),
        ("a Huawei router", Case { mac: Some(HUAWEI_ROUTERS), host_name: Some("HUAWEI-HG8245-router"), ..none }, None, Some("huawei"), Some(false)),
        ("the same, its name saying less", Case { mac: Some(HUAWEI_ROUTERS), host_name: Some("HUAWEI-HG8245H5"), ..none }, None, Some("huawei"), Some(false)),
        ("the same, its name saying nothing", Case { mac: Some(HUAWEI_ROUTERS), host_name: Some("HUAWEI-4f2a"), ..none },
            None, Some("huawei"), None),
        ("an old Huawei, from before its phones had prefixes of their own", Case { mac: Some(HUAWEI_ROUTERS), host_name: Some("HUAWEI_P9-1f"), wanted: Some(ANDROID), ..none },
            None, Some("huawei"), Some(true)),
        ("a Samsung tablet behind a Huawei router", Case { mac: Some(HUAWEI_ROUTERS), agent: Some("Dalvik/1.6.0 (Linux; U; Android 4.4.2; SM-T805 Build/KOT49H)"), ..none },
            None, Some("huawei"), Some(false)),
        ("a Samsung television that is called nothing", Case { mac: Some(SAMSUNG), servers: &["osb.samsungosp.com", "gld.samsungotn.net"], ..none },
            Some(("samsung", Circular)), Some("samsung"), Some(false)),
        ("a Galaxy that shows its pictures on a television", Case { mac: Some(SAMSUNG), host_name: Some("Galaxy-S21"), wanted: Some(ANDROID), servers: &["x.samsungcloudsolution.com"], ..none },
            Some(("samsung", Inferred)), Some("samsung"), Some(true)),
        ("the same, of which less was heard", Case { mac: Some(SAMSUNG), host_name: Some("Galaxy-S21"), servers: &["gld.samsungotn.net"], ..none },
            Some(("samsung", Inferred)), Some("samsung"), Some(true)),
        ("a Xiaomi television", Case { mac: Some(MADE_UP), host_name: Some("MiTV-4S"), wanted: Some(ANDROID), servers: &["mitv.tracking.intl.miui.com"], ..none },
            None, Some("xiaomi"), Some(false)),
        ("a capture made on the phone itself", Case { mac: Some(TUN), agent: Some("Dalvik/2.1.0 (Linux; U; Android 6.0; LG-D855 Build/MRA58K)"), ..none },
            None, Some("lg"), None),
        ("a realme by its prefix", Case { mac: Some(REALME), ..none }, Some(("oppo", Decisive)), Some("oppo"), Some(true)),
        ("a proxy tool that probes everybody's checks", Case { servers: &["conn1.oppomobile.com", "connect.rom.miui.com", "wifi.vivo.com.cn"], ..none },
            None, Some("xiaomi"), None),
        ("a Samsung television", Case { mac: Some(SAMSUNG), host_name: Some("Samsung-QLED-TV"), servers: &["samsungads.com", "osb.samsungosp.com"], ..none },
            Some(("samsung", Circular)), Some("samsung"), Some(false)),
        ("a Galaxy as it comes", Case { mac: Some(SAMSUNG), host_name: Some("Galaxy-S21"), wanted: Some(ANDROID), ..none },
            Some(("samsung", Inferred)), Some("samsung"), Some(true)),
        ("a PC behind a proxy tool that probes connect.rom.miui.com", Case { wanted: Some(WINDOWS), class: Some("MSFT 5.0"), servers: &["connect.rom.miui.com"], ..none },
            None, None, Some(false)),
        ("the same PC without DHCP", Case { servers: &["connect.rom.miui.com"], ..none }, None, Some("xiaomi"), None),
        ("a phone behind private DNS", Case { mac: Some(MADE_UP), servers: &["dns.google"], ..none }, None, None, None),
        ("an OPPO group phone with a made-up MAC", Case { mac: Some(MADE_UP), servers: &["conn-service-eu-04.allawnos.com"], ..none },
            None, Some("oppo"), None),
        ("a Galaxy behind a module maker's prefix, by its User-Agent", Case { mac: Some([0x40, 0xf3, 0x08]), agent: Some("Dalvik/2.1.0 (Linux; U; Android 11; SM-A715F Build/RP1A)"), ..none },
            None, Some("samsung"), None),
        ("a prefix and a class that contradict each other", Case { mac: Some(XIAOMI), class: Some("HUAWEI:android:VOG"), ..none },
            None, Some("huawei"), Some(true)),
    ]
}

#[test]
fn homes_as_they_are() {
    for (story, case, stated, guess, is_phone) in stories() {
        let verdict = case.verdict();
        let said = verdict.stated.map(|s| (s.vendor.id(), s.basis));
        assert_eq!(said, stated, "{story}: {verdict:?}");
        assert_eq!(verdict.guess.map(Vendor::id), guess, "{story}: {verdict:?}");
        assert_eq!(verdict.is_phone, is_phone, "{story}: {verdict:?}");
        assert!((0.0..=1.0).contains(&verdict.p), "{story}: {verdict:?}");
        assert!(
            stated.is_none() || verdict.p >= model::STATED_MIN,
            "{story}: {verdict:?}"
        );
    }
}

/// With a made-up MAC most phones cannot be told, and none is told wrongly.
#[test]
fn without_prefixes_much_is_unknown_and_nothing_wrong() {
    for (story, case, stated, ..) in stories() {
        let verdict = Case {
            mac: Some(MADE_UP),
            ..case
        }
        .verdict();
        if let (Some(vendor), Some((truth, _))) = (verdict.vendor(), stated) {
            assert_eq!(vendor.id(), truth, "{story}: {verdict:?}");
        }
    }
}

#[test]
fn one_decisive_clue_is_enough_for_the_rarest_vendor() {
    for vendor in Vendor::all() {
        let clue = Clue {
            nats: weight::DECISIVE,
            decisive: true,
            ..Clue::toward(vendor, Family::MacPrefix)
        };
        let verdict = Verdict::of(&made_of([clue]), None);
        let expected = Some(Statement {
            vendor,
            basis: Decisive,
        });
        assert_eq!(verdict.stated, expected, "{vendor}: {}", verdict.p);
    }
}

#[test]
fn one_family_states_nothing_however_sure() {
    let vendor = Vendor::from_id("xiaomi").expect("listed");
    let clue = Clue {
        nats: 20.0,
        ..Clue::toward(vendor, Family::DhcpName)
    };
    let verdict = Verdict::of(&made_of([clue]), None);
    assert!(verdict.p > 0.99 && verdict.guess == Some(vendor));
    assert_eq!(verdict.stated, None);
    let other = Clue {
        nats: 0.5,
        ..Clue::toward(vendor, Family::Mdns)
    };
    let verdict = Verdict::of(&made_of([clue, other]), None);
    assert_eq!(verdict.basis(), Some(Inferred));
}

#[test]
fn a_program_is_looked_at_once_until_others_have_pushed_it_out() {
    let mut evidence = Evidence::default();
    let agents: Vec<_> = (0..=AGENTS_MAX).map(|n| format!("agent/{n}")).collect();
    let (first, others) = agents.split_first().expect("several");
    assert!(evidence.agents.is_new(first.as_bytes()));
    assert!(!evidence.agents.is_new(first.as_bytes()));
    for other in others {
        assert!(evidence.agents.is_new(other.as_bytes()));
    }
    assert!(evidence.agents.is_new(first.as_bytes()));
    assert!(!evidence.agents.is_new(others[1].as_bytes()));
}

#[test]
fn a_holder_is_believed_before_all_evidence() {
    let xiaomi = Vendor::from_id("xiaomi").expect("listed");
    let evidence = Case {
        mac: Some(APPLE),
        wanted: Some(IOS),
        ..Case::default()
    }
    .evidence();
    let verdict = Verdict::of(&evidence, Some(xiaomi));
    assert_eq!(
        verdict.stated,
        Some(Statement {
            vendor: xiaomi,
            basis: Basis::Declared
        })
    );
    assert_eq!((verdict.p, verdict.is_phone), (1.0, Some(true)));
}

#[test]
fn evidence_names_rows_of_our_tables_and_nothing_of_the_device() {
    let case = Case {
        host_name: Some("Monicas-iPhone"),
        agent: Some("x (SM-A715F SECRET)"),
        ..Case::default()
    };
    let words = format!("{:?}", case.verdict().evidence);
    assert!(
        words.contains("apple: *iphone") && words.contains("samsung: sm a###*"),
        "{words}"
    );
    assert!(
        !words.contains("Monica") && !words.contains("SECRET"),
        "{words}"
    );
}

#[test]
fn brands_of_a_group_are_shown_and_counted_as_one() {
    for (case, words) in [
        (
            Case {
                mac: Some(REALME),
                ..Case::default()
            },
            "oppo: only phones (realme)",
        ),
        (
            Case {
                host_name: Some("RMX3085"),
                ..Case::default()
            },
            "oppo: rmx####* (realme)",
        ),
        (
            Case {
                host_name: Some("OnePlus-9R"),
                ..Case::default()
            },
            "oppo: oneplus* (OnePlus)",
        ),
        (
            Case {
                host_name: Some("CPH2399"),
                ..Case::default()
            },
            "oppo: cph####*",
        ),
        (
            Case {
                servers: &["iot-eu-logser.realme.com"],
                ..Case::default()
            },
            "oppo: realme.com (realme)",
        ),
    ] {
        let verdict = case.verdict();
        let shown: Vec<_> = verdict.evidence.iter().flat_map(|(_, rows)| rows).collect();
        assert_eq!(shown, [words]);
        assert_eq!(verdict.guess.map(Vendor::id), Some("oppo"), "{words}");
    }
}

#[test]
fn only_the_devices_own_dhcp_messages_speak_for_it() {
    let mut message = dhcp(Some("iPhone"), None, Some(IOS));
    message.kind = Some(MessageKind::Ack);
    let mut evidence = Evidence::default();
    evidence.handle_dhcp(&message);
    assert!(evidence.clues().is_empty());
}

/// Some names a phone may ask for.
const SERVERS: [&str; 9] = [
    "gld.samsungotn.net",
    "sa.api.intl.miui.com",
    "grs.hicloud.com",
    "captive.apple.com",
    "xp.apple.com",
    "conn1.oppomobile.com",
    "asia-stsdk.vivoglobal.com",
    "argo.svcmot.com",
    "www.example.com",
];

proptest! {
    /// What phones contact never decides who is counted.
    #[test]
    fn servers_move_nobody_into_or_out_of_a_share(
        story in 0..stories().len(),
        servers in proptest::collection::vec(0..SERVERS.len(), 0..8),
    ) {
        let (_, case, ..) = stories()[story];
        let counted = |evidence: &Evidence| {
            let verdict = Verdict::of(evidence, None);
            let stated = verdict.stated.filter(|stated| stated.basis.is_counted())?;
            Some((stated, verdict.is_phone))
        };
        let silent = Case { servers: &[], ..case }.evidence();
        let mut talking = silent.clone();
        for server in servers {
            talking.handle_name(SERVERS[server]);
        }
        prop_assert_eq!(counted(&silent), counted(&talking));
    }

    /// Saying a thing twice makes it no truer.
    #[test]
    fn repetition_is_no_evidence(story in 0..stories().len()) {
        let (_, case, ..) = stories()[story];
        let once = case.evidence();
        let mut twice = once.clone();
        twice.handle_dhcp(&dhcp(case.host_name, case.class, case.wanted));
        for server in case.servers {
            twice.handle_name(server);
        }
        prop_assert_eq!(Verdict::of(&once, None), Verdict::of(&twice, None));
    }

    #[test]
    fn clues_are_bounded(names in proptest::collection::vec("[a-z]{1,8}\\.(hicloud\\.com|miui\\.com|apple\\.com)", 0..200)) {
        let mut evidence = Evidence::default();
        for name in &names {
            evidence.handle_name(name);
        }
        prop_assert!(evidence.clues().len() <= Evidence::CLUES_MAX);
    }
}
