use super::*;
use crate::endpoints::Shelf;
use crate::run::world::tests::captures;
use crate::state::State;
use crate::uplink::tests::Noted;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::time::{ManualClock, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

/// Rows and sentences for these files.
struct Shown {
    rows: String,
    sentences: String,
    result: Result<(), Failure>,
}

fn show(request: &Inspect) -> anyhow::Result<Shown> {
    let folder = tempfile::tempdir()?;
    let mut environment = Environment {
        state: State::at(folder.path().join("state")),
        clock: Arc::new(ManualClock::new(Timestamp::from_seconds(1_700_000_000))),
        chance: Box::new(SeededChance::new(1)),
        waits: Box::new(Noted::default()),
        shelf: Shelf::default(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let result = run(&mut environment, request, &mut out, &mut err);
    Ok(Shown {
        rows: String::from_utf8(out)?,
        sentences: String::from_utf8(err)?,
        result,
    })
}

fn request(files: Vec<PathBuf>) -> Inspect {
    Inspect {
        files,
        all: true,
        format: Format::Jsonl,
        geo: None,
        map: None,
        screen: Screen::PLAIN,
        lists: Vec::new(),
    }
}

/// A pcap file of raw IPv4 packets, each with its seconds.
fn pcap(packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32.to_le_bytes(), [2, 0, 4, 0]].concat();
    file.extend([0; 8]);
    file.extend([65_535_u32, 101].map(u32::to_le_bytes).concat());
    for (seconds, bytes) in packets {
        let length = u32::try_from(bytes.len()).expect("short");
        file.extend([*seconds, 0, length, length].map(u32::to_le_bytes).concat());
        file.extend(bytes);
    }
    file
}

fn datagram(last: u8) -> Vec<u8> {
    let udp = [0xc3, 0x50, 0x26, 0x94, 0, 8, 0, 0];
    let addresses = [192, 168, 1, last, 203, 0, 113, 9];
    [
        [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0].as_slice(),
        &addresses,
        &udp,
    ]
    .concat()
}

#[test]
fn rows_have_the_fields_of_the_contract_in_order() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("one.pcap");
    std::fs::write(&path, pcap(&[(1_700_000_000, datagram(7))]))?;
    let shown = show(&request(vec![path.clone()]))?;
    shown.result?;
    let row: Value = serde_json::from_str(&shown.rows)?;
    let device = row["device"]
        .as_str()
        .expect("an address inside is a device")
        .to_owned();
    assert_eq!((device.len(), shown.sentences.as_str()), (8, ""));
    let expected = format!(
        "{{\"capture\":{},\"start\":\"2023-11-14T22:13:20.000000Z\",\"transport\":\"udp\",\
         \"client\":\"192.168.1.7\",\"client_port\":50000,\"server\":\"203.0.113.9\",\
         \"server_port\":9876,\"name\":null,\"name_source\":null,\"name_status\":\"none\",\
         \"packets_up\":1,\"packets_down\":0,\"bytes_up\":28,\"bytes_down\":0,\"rtt_ms\":null,\
         \"device\":\"{device}\",\"vendor\":null,\"vendor_p\":{},\"country\":null}}\n",
        serde_json::to_string(&path)?,
        row["vendor_p"],
    );
    assert_eq!(shown.rows, expected);
    let table = show(&Inspect {
        format: Format::Table,
        ..request(vec![path])
    })?;
    let heading = table.rows.lines().next().expect("a heading");
    let fields: Vec<_> = heading.split_whitespace().collect();
    let in_order: Vec<_> = expected
        .split('"')
        .filter(|word| fields.contains(word))
        .collect();
    assert_eq!(in_order, fields);
    assert!(
        table
            .rows
            .lines()
            .nth(1)
            .is_some_and(|row| row.contains(" 203.0.113.9 "))
    );
    Ok(())
}

#[test]
fn rows_of_all_files_are_sorted_and_phones_are_asked_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let paths = ["a.pcap", "b.pcap"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], pcap(&[(30, datagram(1)), (10, datagram(2))]))?;
    std::fs::write(&paths[1], pcap(&[(20, datagram(1)), (5, datagram(3))]))?;
    let shown = show(&request(paths.to_vec()))?;
    let starts: Vec<_> = shown
        .rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).map(|row| row["start"].to_string()))
        .collect::<Result<_, _>>()?;
    assert_eq!(starts.len(), 4);
    assert!(starts.is_sorted(), "{starts:?}");
    let phones = show(&Inspect {
        all: false,
        ..request(paths.to_vec())
    })?;
    assert_eq!(phones.rows, "", "nothing says that these are phones");
    Ok(())
}

#[test]
fn what_is_no_row_is_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let named = |name: &str| folder.path().join(name);
    let mut ping = datagram(7);
    ping[9] = 1;
    let whole = pcap(&[
        (1, datagram(7)),
        (2, ping),
        (3, vec![0x45]),
        (4, datagram(7)),
    ]);
    std::fs::write(named("cut.pcap"), &whole[..whole.len() - 1])?;
    std::fs::write(named("empty.pcap"), b"")?;
    std::fs::write(
        named("text.pcap"),
        b"not a capture, but a text of some length",
    )?;
    let files = ["cut.pcap", "empty.pcap", "text.pcap", "absent.pcap"].map(named);
    let shown = show(&request(files.to_vec()))?;
    shown.result?;
    assert_eq!(shown.rows.lines().count(), 1);
    let told: Vec<_> = shown
        .sentences
        .lines()
        .filter_map(|line| line.split_once(".pcap: "))
        .map(|told| told.1)
        .collect();
    assert_eq!(
        told[..5],
        [
            "not everything could be read: cut 1",
            "packets of other transports are not listed: icmp 1",
            "frames without a packet that can be read: cut 1",
            "nothing could be read: it is empty",
            "nothing could be read: it is neither a pcap nor a pcapng file",
        ]
    );
    assert!(
        told[5].starts_with("nothing could be read: No such file"),
        "{}",
        told[5]
    );
    let nothing = show(&request(files[1..].to_vec()))?;
    assert_eq!(
        nothing.result.expect_err("nothing was read").exit(),
        Exit::BadInput
    );
    let header_only = show(&request(vec![{
        std::fs::write(named("quiet.pcap"), pcap(&[]))?;
        named("quiet.pcap")
    }]))?;
    assert!(
        header_only.result.is_ok(),
        "a capture in which nothing happened is read"
    );
    Ok(())
}

#[test]
fn a_country_database_that_is_none_is_bad_input() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("geo.mmdb");
    std::fs::write(&path, b"nothing of the kind")?;
    let shown = show(&Inspect {
        geo: Some(path),
        ..request(vec![])
    })?;
    let failure = shown.result.expect_err("no database");
    assert_eq!(failure.exit(), Exit::BadInput);
    assert!(
        failure.to_string().starts_with("the country database "),
        "{failure}"
    );
    Ok(())
}

/// A UDP packet over IPv4.
fn udp(from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).expect("short");
    let whole = (length + 20).to_be_bytes();
    let ip = [0x45, 0, whole[0], whole[1], 0, 0, 0, 0, 64, 17, 0, 0];
    let ports = [from.1, to.1, length, 0].map(u16::to_be_bytes).concat();
    [&ip, from.0.as_slice(), &to.0, &ports, payload].concat()
}

/// A Huawei phone that says so when it asks for its address.
fn phone_says_hello(address: [u8; 4]) -> [Vec<u8>; 2] {
    let message = |kind: u8, given: [u8; 4]| {
        let mut bytes = vec![0; 236];
        bytes[..3].copy_from_slice(&[if kind == 5 { 2 } else { 1 }, 1, 6]);
        bytes[16..20].copy_from_slice(&given);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        bytes.extend([99, 130, 83, 99, 53, 1, kind, 60, 18]);
        bytes.extend(b"HUAWEI:android:VOG");
        bytes.push(255);
        bytes
    };
    let everybody = [255; 4];
    [
        udp(([0; 4], 68), (everybody, 67), &message(3, [0; 4])),
        udp(
            ([192, 168, 1, 1], 67),
            (everybody, 68),
            &message(5, address),
        ),
    ]
}

#[test]
fn a_map_of_the_phones_servers_follows_the_table() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let named = |name: &str| folder.path().join(name);
    let phone = [192, 168, 1, 7];
    let to = |server: [u8; 4]| udp((phone, 50_000), (server, 9_876), b"");
    let [asks, ack] = phone_says_hello(phone);
    let packets = [
        asks,
        ack,
        to([8, 219, 0, 1]),
        to([8, 219, 0, 2]),
        to([203, 0, 113, 9]),
        // Not a phone's, so on no map.
        udp(([192, 168, 1, 9], 50_000), ([8, 219, 0, 3], 9_876), b""),
    ];
    let seconds = 1_700_000_000..;
    std::fs::write(
        named("a.pcap"),
        pcap(&seconds.zip(packets).collect::<Vec<_>>()),
    )?;
    let database = crate::run::geo::tests::database_of("SG");
    std::fs::write(named("geo.mmdb"), database)?;
    let whole = Inspect {
        format: Format::Table,
        geo: Some(named("geo.mmdb")),
        map: Some(named("map.svg")),
        ..request(vec![named("a.pcap")])
    };
    let shown = show(&whole)?;
    shown.result?;
    let (_, map) = shown
        .rows
        .split_once("\n\n")
        .expect("a map after the table");
    let title = "Where the servers stand that your phones contacted, by geo.mmdb (Test of";
    assert!(map.starts_with(title), "{map}");
    let rows: Vec<_> = map
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for row in [
        "A SG Singapore 2 67 % 1 huawei",
        "- no country known 1 33 % 1 huawei",
    ] {
        assert!(rows.iter().any(|line| line == row), "{row}: {map}");
    }
    let picture = std::fs::read_to_string(named("map.svg"))?;
    assert!(picture.contains(">SG Singapore<"), "{picture}");
    // Rows for programs are rows and nothing else; the picture is another file.
    let jsonl = show(&Inspect {
        format: Format::Jsonl,
        ..whole.clone()
    })?;
    jsonl.result?;
    assert!(jsonl.rows.lines().all(|line| line.starts_with('{')));
    let unwritable = show(&Inspect {
        map: Some(named("absent").join("map.svg")),
        ..whole.clone()
    })?;
    let failure = unwritable.result.expect_err("there is no such folder");
    assert_eq!(failure.exit(), Exit::Unavailable);
    let sentence = failure.to_string();
    assert!(sentence.starts_with("the map ") && sentence.contains("cannot be written"));
    assert_eq!(unwritable.rows, shown.rows, "what can be shown is");
    let missing = show(&Inspect {
        geo: Some(named("absent.mmdb")),
        ..whole
    })?;
    let failure = missing.result.expect_err("there is no such file");
    assert_eq!(failure.exit(), Exit::BadInput);
    Ok(())
}

#[test]
fn without_a_phone_there_is_no_map() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let named = |name: &str| folder.path().join(name);
    std::fs::write(named("a.pcap"), pcap(&[(1, datagram(7))]))?;
    std::fs::write(named("geo.mmdb"), crate::run::geo::tests::database_of("SG"))?;
    let shown = show(&Inspect {
        geo: Some(named("geo.mmdb")),
        map: Some(named("map.svg")),
        ..request(vec![named("a.pcap")])
    })?;
    shown.result?;
    assert!(
        shown.sentences.contains("no map is drawn"),
        "{}",
        shown.sentences
    );
    assert!(!named("map.svg").exists());
    Ok(())
}

/// What nDPI names in the shared captures is named so here, and nothing is named otherwise.
#[test]
fn names_are_those_that_ndpi_finds() -> anyhow::Result<()> {
    let files = captures();
    let Some(folder) = files.first().and_then(|path| path.parent()?.parent()) else {
        return Ok(());
    };
    let truth = std::fs::read_to_string(folder.join("names.jsonl"))?;
    let shown = show(&request(files.clone()))?;
    shown.result?;
    let mut found: HashMap<_, BTreeSet<String>> = HashMap::new();
    for row in shown.rows.lines() {
        let row: Value = serde_json::from_str(row)?;
        let Some(name) = row["name"].as_str() else {
            continue;
        };
        let end = |side: &str| -> anyhow::Result<SocketAddr> {
            let address = row[side].as_str().expect("an address").parse()?;
            let port = row[format!("{side}_port")].as_u64().expect("a port");
            Ok(SocketAddr::new(address, u16::try_from(port)?))
        };
        let ends = BTreeSet::from([end("client")?, end("server")?]);
        let capture = Path::new(row["capture"].as_str().expect("a path")).file_name();
        let capture = capture.expect("a name").to_string_lossy().into_owned();
        found
            .entry((capture, row["transport"].to_string(), ends))
            .or_default()
            .insert(name.into());
    }
    // Per kind: named so, named otherwise, not named.
    let mut score: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for line in truth.lines() {
        let line: Value = serde_json::from_str(line)?;
        let text = |field: &str| line[field].as_str().expect("a text");
        // nDPI misprints some IPv6 addresses; those rows cannot be compared.
        let (Ok(a), Ok(b)) = (text("a").parse(), text("b").parse()) else {
            continue;
        };
        let key = (
            text("capture").to_owned(),
            line["transport"].to_string(),
            BTreeSet::from([a, b]),
        );
        let expected = text("name").trim_end_matches('.');
        // nDPI cuts long names.
        let is_same = |name: &String| {
            name == expected
                || (expected.len() >= 60
                    && (name.starts_with(expected) || name.ends_with(expected)))
        };
        let place = match found.get(&key) {
            Some(names) if names.iter().any(is_same) => 0,
            Some(_) => 1,
            None => 2,
        };
        score.entry(text("kind").to_owned()).or_default()[place] += 1;
    }
    let [tls, quic, http] = ["TLS", "QUIC", "HTTP"].map(|kind| score[kind]);
    let recall = |[same, other, none]: [usize; 3]| same as f64 / (same + other + none) as f64;
    assert!(recall(tls) >= 0.97, "{score:?}");
    // All of IETF QUIC; the other 15 speak Google's, which its maker has retired.
    assert!(quic[0] >= 10, "{score:?}");
    assert!(recall(http) >= 0.97, "{score:?}");
    assert_eq!(tls[1] + quic[1] + http[1], 0, "{score:?}");
    Ok(())
}
