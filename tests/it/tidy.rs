//! The rules of the house that no compiler keeps: layers, purity, length, words, documents.

use phonehome_tests::golden::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a source file, at most. A longer one is split by noun.
const LINES_MAX: usize = 500;

/// Crates the agent may be made of, its own two included.
const AGENT_CRATES_MAX: usize = 120;

/// Which modules each module of the agent may name. A new edge is argued for where it is added.
const AGENT_EDGES: &[(&str, &[&str])] = &[];

/// The same for the collector.
const COLLECTOR_EDGES: &[(&str, &[&str])] = &[];

/// The same for the nouns and the wire.
const PROTO_EDGES: &[(&str, &[&str])] = &[];

/// Stages without clock, chance, disk or network.
const PURE: &[(&str, &[&str])] = &[
    ("agent", &["packet", "name", "flow", "device", "evidence", "observe", "batch"]),
    ("collector", &["verify", "fold", "enrich", "count", "release", "stats", "map"]),
];

/// What a pure stage cannot name.
const IMPURE: &[&str] = &[
    "tokio", "std::fs", "std::net::Tcp", "std::net::Udp", "std::env", "std::process", "std::thread",
    "rusqlite", "axum", "tonic", "SystemClock", "SystemChance", "SystemTime::now", "Instant::now",
];

/// Nouns of `proto`: nothing of the wire, nothing async, no serde.
const NOUNS: &[&str] = &[
    "chance", "id", "time", "net", "scale", "vendor", "endpoint", "observation", "batch", "census",
    "seal", "consent", "enrolment", "manifest", "receipt", "limits", "reject",
];

struct Source {
    /// Below the root, with `/` between folders.
    path: String,
    /// The folder of its crate: `agent`.
    folder: String,
    /// The module it belongs to, as `lib.rs` lists it: `packet` for `packet/dns.rs`.
    module: String,
    /// What the compiler sees when it is not testing, without comments.
    code: String,
    text: String,
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.text.lines().count() > LINES_MAX)
        .map(|source| source.path)
        .collect();
    assert_eq!(long, [] as [&str; 0], "over {LINES_MAX} lines: split by noun");
}

#[test]
fn every_module_begins_with_its_law() {
    let lawless: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.path.ends_with("tests.rs") && !source.path.contains("/tests/fuzz/"))
        .filter(|source| !source.text.starts_with("//!") && !source.text.starts_with("#!["))
        .map(|source| source.path)
        .collect();
    assert_eq!(lawless, [] as [&str; 0]);
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not find itself.
    let words = ["TO", "FIX", "XX"].map(|head| [head, if head == "XX" { "X" } else if head == "TO" { "DO" } else { "ME" }].concat());
    for source in sources() {
        for word in &words {
            assert!(!source.text.contains(word.as_str()), "{}: {word}", source.path);
        }
    }
}

#[test]
fn layers_hold() {
    for (folder, table) in
        [("agent", AGENT_EDGES), ("collector", COLLECTOR_EDGES), ("proto", PROTO_EDGES)]
    {
        let allowed: BTreeMap<_, BTreeSet<_>> =
            table.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in sources().into_iter().filter(|source| source.folder == folder) {
            let edges = used.entry(source.module.clone()).or_default();
            edges.extend(crate_paths(&source.code).filter(|to| *to != source.module));
        }
        let mut wrong = Vec::new();
        for (from, to) in &used {
            // `run` sees every stage; `main` and `lib` are the crate itself.
            if matches!(from.as_str(), "run" | "main" | "lib") {
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
        assert_eq!(wrong, [] as [&str; 0], "the diagram in ARCHITECTURE.md is this table");
    }
}

#[test]
fn agent_and_collector_know_nothing_of_each_other() {
    for (folder, other) in [("agent", "phonehome_collector"), ("collector", "phonehome_agent")] {
        for source in sources().into_iter().filter(|source| source.folder == folder) {
            assert!(!source.text.contains(other), "{}", source.path);
        }
    }
}

#[test]
fn pure_stages_have_no_clock_chance_disk_or_network() {
    for (folder, stages) in PURE {
        for source in sources().into_iter().filter(|source| source.folder == *folder) {
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
    for source in sources().into_iter().filter(|source| source.folder == "proto") {
        if NOUNS.contains(&source.module.as_str()) {
            for word in ["prost", "tonic", "serde", "tokio", "crate::v1", "crate::encode"] {
                assert!(!source.code.contains(word), "{}: {word}", source.path);
            }
        }
    }
}

#[test]
fn the_agent_never_listens() {
    for source in sources().into_iter().filter(|source| source.folder == "agent") {
        for word in ["TcpListener", "UnixListener", "UdpSocket", "Socket::bind", ".listen("] {
            assert!(!source.code.contains(word), "{}: {word}", source.path);
        }
    }
}

#[test]
fn the_agent_is_made_of_few_crates() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "phonehome-agent"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo runs, since it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("crate names are ASCII");
    let crates: BTreeSet<_> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)").trim_end_matches(" (proc-macro)"))
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
    assert_eq!(unknown, BTreeSet::new(), "named in ARCHITECTURE.md and nowhere else");
}

/// Manifests, schemas, data files and documents: their paths, and the text of the small ones.
fn named_files() -> Vec<String> {
    let mut files = Vec::new();
    walk(&root(), &mut |path| {
        let name = relative(path);
        let is_text = [".toml", ".proto", ".md", ".sh", ".tsv", ".txt"].iter().any(|end| name.ends_with(end));
        let text = if is_text && name != "ARCHITECTURE.md" {
            fs::read_to_string(path).unwrap_or_default()
        } else {
            String::new()
        };
        files.push(format!("{name}\n{text}"));
    });
    files
}

/// Every Rust file of the project.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    walk(&root(), &mut |path| {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).expect("sources are text");
            sources.push(Source::of(relative(path), text));
        }
    });
    assert!(sources.len() > 100, "the tree was walked");
    sources
}

impl Source {
    fn of(path: String, text: String) -> Self {
        let parts: Vec<_> = path.split('/').collect();
        let folder = parts[0].to_owned();
        let module = match parts.as_slice() {
            [_, "src", file] => file.trim_end_matches(".rs").to_owned(),
            [_, "src", module, ..] => (*module).to_owned(),
            _ => String::new(),
        };
        let only_tests = ["/tests.rs", "/fixture.rs"].iter().any(|end| path.ends_with(end))
            || path.contains("/tests/");
        let code = if only_tests { String::new() } else { without_tests(&text) };
        Self { path, folder, module, code, text }
    }
}

/// The text without comments and without what stands behind the first `#[cfg(test)]` module.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let code = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    code.fold(String::new(), |mut code, line| {
        code.push_str(line);
        code.push('\n');
        code
    })
}

/// The modules named as `crate::module`, and those in `use crate::{a, b}`.
fn crate_paths(code: &str) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate` is a macro's word for the same thing; `pub(crate)` never has colons.
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut fresh = true;
            for (at, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => fresh = true,
                    letter if letter.is_whitespace() => {}
                    _ if fresh && depth == 0 => {
                        names.push(word(&list[at..]));
                        fresh = false;
                    }
                    _ => {}
                }
            }
        } else {
            names.push(word(rest));
        }
    }
    // Items of the crate's root, such as a constant, are no modules.
    names.into_iter().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            if !matches!(name.as_ref(), ".git" | "target" | "artifacts" | "corpus") {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("below the root");
    path.to_string_lossy().replace('\\', "/")
}
