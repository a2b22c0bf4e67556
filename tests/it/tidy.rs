//! The rules of the house that no compiler keeps: layers, purity, length, words, documents.

mod edges;
mod source;

use edges::{AGENT_EDGES, COLLECTOR_EDGES, PROTO_EDGES};
use phonehome_tests::golden::root;
use source::{crate_paths, relative, sources, walk};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// Lines of a source file, at most. A longer one is split by noun.
const LINES_MAX: usize = 500;

/// Crates the agent may be made of, its own two included.
const AGENT_CRATES_MAX: usize = 120;

/// Stages without clock, chance, disk or network.
const PURE: &[(&str, &[&str])] = &[
    (
        "agent",
        &[
            "packet",
            "name",
            "flow",
            "device",
            "evidence",
            "observe",
            "batch",
            "lists",
            "endpoints",
        ],
    ),
    (
        "collector",
        &[
            "verify", "fold", "enrich", "count", "release", "stats", "format", "map",
        ],
    ),
];

/// What a pure stage cannot name.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::env",
    "std::process",
    "std::thread",
    "rusqlite",
    "axum",
    "tonic",
    "SystemClock",
    "SystemChance",
    "SystemTime::now",
    "Instant::now",
];

/// Nouns of `proto`: nothing of the wire, nothing async, no serde.
const NOUNS: &[&str] = &[
    "chance",
    "id",
    "time",
    "net",
    "scale",
    "vendor",
    "endpoint",
    "observation",
    "batch",
    "census",
    "seal",
    "release_key",
    "consent",
    "enrolment",
    "manifest",
    "receipt",
    "rotation",
    "withdrawal",
    "limits",
    "reject",
];

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.text.lines().count() > LINES_MAX)
        .map(|source| source.path)
        .collect();
    assert_eq!(
        long,
        [] as [&str; 0],
        "over {LINES_MAX} lines: split by noun"
    );
}

#[test]
fn every_module_begins_with_its_law() {
    let lawless: Vec<_> = sources()
        .into_iter()
        .filter(|source| {
            !source.path.ends_with("tests.rs") && !source.path.contains("/tests/fuzz/")
        })
        .filter(|source| !source.text.starts_with("//!") && !source.text.starts_with("#!["))
        .map(|source| source.path)
        .collect();
    assert_eq!(lawless, [] as [&str; 0]);
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not find itself.
    let words = ["TO", "FIX", "XX"].map(|head| {
        [
            head,
            if head == "XX" {
                "X"
            } else if head == "TO" {
                "DO"
            } else {
                "ME"
            },
        ]
        .concat()
    });
    for source in sources() {
        for word in &words {
            assert!(
                !source.text.contains(word.as_str()),
                "{}: {word}",
                source.path
            );
        }
    }
}

#[test]
fn layers_hold() {
    let mut wrong = Vec::new();
    for (folder, table) in [
        ("agent", AGENT_EDGES),
        ("collector", COLLECTOR_EDGES),
        ("proto", PROTO_EDGES),
    ] {
        let allowed: BTreeMap<_, BTreeSet<_>> = table
            .iter()
            .map(|(from, to)| (*from, to.iter().copied().collect()))
            .collect();
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in sources()
            .into_iter()
            .filter(|source| source.folder == folder)
        {
            let edges = used.entry(source.module.clone()).or_default();
            edges.extend(crate_paths(&source.code).filter(|to| *to != source.module));
        }
        for (from, to) in &used {
            // `run` sees every stage; `main` and `lib` are the crate itself; build scripts have none.
            if matches!(from.as_str(), "run" | "main" | "lib" | "") {
                continue;
            }
            let none = BTreeSet::new();
            let allowed = allowed.get(from.as_str()).unwrap_or(&none);
            wrong.extend(
                to.iter()
                    .filter(|to| !allowed.contains(to.as_str()))
                    .map(|to| format!("{folder}: {from} names {to}")),
            );
            wrong.extend(
                allowed
                    .iter()
                    .filter(|may| !to.contains(**may))
                    .map(|may| format!("{folder}: {from} may name {may} and does not")),
            );
        }
    }
    assert_eq!(
        wrong,
        [] as [&str; 0],
        "the diagram in ARCHITECTURE.md is this table"
    );
}

#[test]
fn agent_and_collector_know_nothing_of_each_other() {
    for (folder, other) in [
        ("agent", "phonehome_collector"),
        ("collector", "phonehome_agent"),
    ] {
        for source in sources()
            .into_iter()
            .filter(|source| source.folder == folder)
        {
            assert!(!source.text.contains(other), "{}", source.path);
        }
    }
}

#[test]
fn pure_stages_have_no_clock_chance_disk_or_network() {
    for (folder, stages) in PURE {
        for source in sources()
            .into_iter()
            .filter(|source| source.folder == *folder)
        {
            if stages.contains(&source.module.as_str()) {
                for word in IMPURE {
                    assert!(!source.code.contains(word), "{}: {word}", source.path);
                }
            }
        }
    }
}

#[test]
fn nouns_know_nothing_of_the_wire() {
    for source in sources()
        .into_iter()
        .filter(|source| source.folder == "proto")
    {
        if NOUNS.contains(&source.module.as_str()) {
            for word in [
                "prost",
                "tonic",
                "serde",
                "tokio",
                "crate::v1",
                "crate::encode",
            ] {
                assert!(!source.code.contains(word), "{}: {word}", source.path);
            }
        }
    }
}

#[test]
fn the_agent_never_listens() {
    for source in sources()
        .into_iter()
        .filter(|source| source.folder == "agent")
    {
        for word in [
            "TcpListener",
            "UnixListener",
            "UdpSocket",
            "Socket::bind",
            ".listen(",
        ] {
            assert!(!source.code.contains(word), "{}: {word}", source.path);
        }
    }
}

#[test]
fn the_agent_is_made_of_few_crates() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "phonehome-agent",
        ])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo runs, since it runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("crate names are ASCII");
    let crates: BTreeSet<_> = text
        .lines()
        .map(|line| {
            line.trim_end_matches(" (*)")
                .trim_end_matches(" (proc-macro)")
        })
        .filter(|line| !line.is_empty())
        .collect();
    assert!(crates.len() > 20, "the list was read: {}", crates.len());
    assert!(crates.len() <= AGENT_CRATES_MAX, "{} crates", crates.len());
}

#[test]
fn names_in_the_architecture_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let everything: String = sources()
        .into_iter()
        .filter(|source| source.path != "tests/it/tidy.rs")
        .map(|source| source.path + "\n" + &source.text)
        .chain(named_files())
        .collect();
    let mut unknown = BTreeSet::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for name in line.split('`').skip(1).step_by(2) {
            if !everything.contains(name.trim_end_matches("()").trim_end_matches('/')) {
                unknown.insert(name.to_owned());
            }
        }
    }
    assert_eq!(
        unknown,
        BTreeSet::new(),
        "named in ARCHITECTURE.md and nowhere else"
    );
}

/// Manifests, schemas, data files and documents: their paths, and the text of the small ones.
fn named_files() -> Vec<String> {
    let mut files = Vec::new();
    walk(&root(), &mut |path| {
        let name = relative(path);
        let is_text = [".toml", ".proto", ".md", ".sh", ".tsv", ".txt"]
            .iter()
            .any(|end| name.ends_with(end));
        let text = if is_text && name != "ARCHITECTURE.md" {
            fs::read_to_string(path).unwrap_or_default()
        } else {
            String::new()
        };
        files.push(format!("{name}\n{text}"));
    });
    files
}
