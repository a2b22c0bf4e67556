//! Devices that look like somebody's phone and are not, or are one and do not show it: each as a
//! capture of its home's router, and what `devices` says of it.

use anyhow::{Context, Result, ensure};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::time::Timestamp;
use phonehome_tests::identification;
use phonehome_tests::traffic::conversation::Conversation;
use phonehome_tests::traffic::dhcp::{self, Manners, Step};
use phonehome_tests::traffic::dns;
use phonehome_tests::traffic::frame::{self, Link, Mac, Segment, flag};
use phonehome_tests::traffic::recording::Recording;
use phonehome_tests::traffic::site::Carrier;
use serde_json::{Value, json};
use std::fs::File;
use std::io::BufWriter;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// What a device lets its router see.
#[derive(Clone, Copy)]
struct Device {
    mac: Mac,
    host_name: Option<&'static str>,
    vendor_class: Option<&'static str>,
    wishes: Option<&'static [u8]>,
    /// Looked up in clear, then spoken to by TLS.
    servers: &'static [&'static str],
    /// Spoken to on DNS over TLS' own port.
    private_dns: Option<&'static str>,
    agent: Option<&'static str>,
}

const SILENT: Device = Device {
    mac: MADE_UP,
    host_name: None,
    vendor_class: None,
    wishes: None,
    servers: &[],
    private_dns: None,
    agent: None,
};

const MADE_UP: Mac = [0xae, 0x9c, 0xd5, 1, 2, 3];
const HMD: Mac = [0x00, 0x5e, 0x0c, 1, 2, 3];
const HUAWEI_ROUTERS: Mac = [0x00, 0xe0, 0xfc, 1, 2, 3];
const SAMSUNG: Mac = [0x78, 0xf7, 0xbe, 1, 2, 3];
const APPLE: Mac = [0x7c, 0x2a, 0xca, 1, 2, 3];
const MURATA: Mac = [0x40, 0xf3, 0x08, 1, 2, 3];
const ANDROID_TUN: Mac = [0x00, 0x1a, 0x11, 0, 0, 1];
const LITEON: Mac = [0x74, 0xe5, 0x43, 1, 2, 3];
const ANDROID: &[u8] = &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108];
const MACOS: &[u8] = &[1, 121, 3, 6, 15, 108, 114, 119, 252, 95, 44, 46];
const WINDOWS: &[u8] = &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];

/// A device, and the vendor, basis and kind that may be said of it.
type Trap = (&'static str, Device, Value, Value, Value);

#[rustfmt::skip]
fn traps() -> Vec<Trap> {
    let none = Value::Null;
    vec![
        ("a Nokia that asks for captive.apple.com",
            Device { mac: HMD, vendor_class: Some("android-dhcp-9"), wishes: Some(&ANDROID[..10]), servers: &["captive.apple.com", "connectivitycheck.gstatic.com"], ..SILENT },
            json!("hmd"), json!("decisive"), json!(true)),
        ("the same with a made-up address",
            Device { vendor_class: Some("android-dhcp-9"), wishes: Some(&ANDROID[..10]), servers: &["captive.apple.com", "connectivitycheck.gstatic.com"], ..SILENT },
            none.clone(), none.clone(), none.clone()),
        ("a Huawei router",
            Device { mac: HUAWEI_ROUTERS, host_name: Some("HUAWEI-HG8245H5"), servers: &["query.hicloud.com"], ..SILENT },
            none.clone(), none.clone(), json!(false)),
        ("a Huawei router in front of a Samsung tablet",
            Device { mac: HUAWEI_ROUTERS, agent: Some("Dalvik/1.6.0 (Linux; U; Android 4.4.2; SM-T805 Build/KOT49H)"), ..SILENT },
            none.clone(), none.clone(), json!(false)),
        ("a Samsung television",
            Device { mac: SAMSUNG, servers: &["osb.samsungosp.com", "gld.samsungotn.net"], ..SILENT },
            json!("samsung"), json!("circular"), json!(false)),
        ("a Mac",
            Device { mac: APPLE, host_name: Some("Anas-MacBook-Pro"), wishes: Some(MACOS), servers: &["gateway.icloud.com"], ..SILENT },
            json!("apple"), json!("inferred"), json!(false)),
        ("a PC whose proxy tool probes connect.rom.miui.com",
            Device { mac: LITEON, host_name: Some("DESKTOP-7Q2"), vendor_class: Some("MSFT 5.0"), wishes: Some(WINDOWS), servers: &["connect.rom.miui.com", "wifi.vivo.com.cn", "conn1.oppomobile.com"], ..SILENT },
            none.clone(), none.clone(), json!(false)),
        ("a phone behind private DNS",
            Device { vendor_class: Some("android-dhcp-10"), wishes: Some(&ANDROID[..10]), private_dns: Some("dns.google"), ..SILENT },
            none.clone(), none.clone(), none.clone()),
        ("a phone of the OPPO group with a made-up address",
            Device { wishes: Some(ANDROID), servers: &["conn-service-eu-04.allawnos.com"], ..SILENT },
            none.clone(), none.clone(), json!(true)),
        ("a capture made on an Android phone",
            Device { mac: ANDROID_TUN, agent: Some("Dalvik/2.1.0 (Linux; U; Android 6.0; LG-D855 Build/MRA58K)"), ..SILENT },
            none.clone(), none.clone(), none.clone()),
        ("a Galaxy behind a module maker's prefix",
            Device { mac: MURATA, agent: Some("Instagram 4.2.3 Android (18/4.3; 480dpi; 1080x1920; samsung; GT-I9505; jflte)"), ..SILENT },
            none.clone(), none.clone(), none),
    ]
}

#[test]
fn nobody_falls_into_the_known_traps() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let traps = traps();
    let paths: Vec<_> = (0..traps.len())
        .map(|number| folder.path().join(format!("{number:02}.pcap")))
        .collect();
    for ((_, device, ..), path) in traps.iter().zip(&paths) {
        write(device, path)?;
    }
    let rows = identification::judged(&paths)?;
    for ((story, device, vendor, basis, is_phone), path) in traps.iter().zip(&paths) {
        let [a, b, c, ..] = device.mac;
        let prefix = format!("{a:02x}:{b:02x}:{c:02x}");
        let row = rows
            .iter()
            .find(|row| {
                row["capture"] == path.to_string_lossy().as_ref()
                    && row["mac_prefix"] == prefix.as_str()
            })
            .with_context(|| format!("{story}: no row"))?;
        let said = [&row["vendor"], &row["basis"], &row["is_phone"]];
        ensure!(said == [vendor, basis, is_phone], "{story}: {row}");
        let p = row["p"].as_f64().context("p is a number")?;
        ensure!(vendor.is_null() || p >= 0.9, "{story}: {row}");
    }
    Ok(())
}

/// Writes what the router of a home with this one device captures.
fn write(device: &Device, path: &Path) -> Result<()> {
    let mut recording = Recording::default();
    let mut chance = SeededChance::new(3);
    let router = (ROUTER, Ipv4Addr::new(192, 168, 1, 1));
    let address = Ipv4Addr::new(192, 168, 1, 20);
    let client = |port| SocketAddr::from((address, port));
    let link = Link {
        from: device.mac,
        to: ROUTER,
    };
    let at = |seconds| Timestamp::from_seconds(1_600_000_000 + seconds);
    if let Some(wishes) = device
        .wishes
        .or_else(|| device.host_name.map(|_| &[1, 3, 6][..]))
    {
        let manners = Manners {
            host_name: device.host_name,
            vendor_class: device.vendor_class,
            wishes,
        };
        for step in [Step::Request, Step::Acknowledge] {
            let message = dhcp::message(step, device.mac, router, address, 9, manners);
            recording.push(at(0), message);
        }
    }
    let server = Ipv4Addr::new(198, 51, 100, 7);
    let resolver = SocketAddr::from((router.1, 53));
    let mut port = 40_000;
    let mut talk = |host, server_port, recording: &mut Recording| {
        port += 1;
        let conversation = Conversation {
            link,
            client: client(port),
            server: SocketAddr::from((server, server_port)),
            host,
            at: at(i64::from(port) - 39_000),
            round_trip_nanos: 30_000_000,
            bytes_up: 900,
            bytes_down: 2_000,
        };
        conversation.record(Carrier::Tls, recording, &mut chance);
    };
    for host in device.servers {
        let question = dns::question(5, host, server.into());
        let answer = dns::answer(5, host, None, server.into());
        recording.push(at(2), frame::udp(link, client(50_000), resolver, &question));
        recording.push(
            at(3),
            frame::udp(link.reversed(), resolver, client(50_000), &answer),
        );
        talk(host, 443, &mut recording);
    }
    if let Some(host) = device.private_dns {
        talk(host, 853, &mut recording);
    }
    if let Some(agent) = device.agent {
        let request =
            format!("GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: {agent}\r\n\r\n");
        let segment = |flags, sequence, data| Segment {
            sequence,
            acknowledge: 1,
            flags,
            data,
            data_bytes: data.len(),
        };
        let server = SocketAddr::from((server, 80));
        let open = segment(flag::SYN, 0, &[]);
        recording.push(at(4), frame::tcp(link, client(50_001), server, open));
        let ask = segment(flag::ACK | flag::PSH, 1, request.as_bytes());
        recording.push(at(5), frame::tcp(link, client(50_001), server, ask));
    }
    recording.write(BufWriter::new(File::create(path)?))?;
    Ok(())
}

const ROUTER: Mac = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55];
