//! `phonehome-demo` as a person runs it.

use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::map::Fact;
use phonehome_collector::map::words::language::Language;
use phonehome_collector::publish;
use phonehome_collector::site::{Address, Page, Site};
use phonehome_proto::vendor::Vendor;
use phonehome_tests::golden;
use phonehome_tests::traffic::day::{self, Pace};
use phonehome_tests::traffic::population;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn demo(arguments: &[&str], folder: &Path) -> Result<Output> {
    let output = Command::new(env!("CARGO_BIN_EXE_phonehome-demo"))
        .args(arguments)
        .current_dir(folder)
        .output()?;
    Ok(output)
}

#[test]
fn help_is_what_was_agreed_on() -> Result<()> {
    let output = demo(&["--help"], Path::new("."))?;
    ensure!(output.status.success(), "help is no failure");
    golden::check("tests/data/demo-help.txt", &output.stdout);
    Ok(())
}

#[test]
fn it_publishes_once_and_shows_what_your_own_capture_sends() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Somebody's own file: an evening with an iPhone, from another world.
    let home = population::homes(7, 2).pop().context("a home")?;
    let day = "2026-W20".parse::<phonehome_proto::time::Week>()?.monday();
    day::write(&home, &[day], Pace::QUIET, &folder.path().join("mine.pcap"))?;

    let arguments = [
        "--homes",
        "12",
        "--weeks",
        "1",
        "--once",
        "--capture",
        "mine.pcap",
    ];
    let first = demo(&arguments, folder.path())?;
    let said = String::from_utf8(first.stdout)?;
    ensure!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
    for part in [
        "mine.pcap as a home of its own",
        "exactly this is sent",
        "receipt  day 2026-11-15",
        "moved no cell",
        "target/phonehome-demo/2026-W46.0",
    ] {
        ensure!(said.contains(part), "{part}: {said}");
    }
    ensure!(
        !said.contains("http://127.0.0.1"),
        "it serves nothing: {said}"
    );
    let out = folder.path().join("target/phonehome-demo");
    let report = publish::verify(&out, None)?;
    ensure!(report.releases.len() == 1, "{report:?}");

    // Another time it says the same, and its own release may stand there.
    let second = demo(&arguments, folder.path())?;
    ensure!(
        second.status.success(),
        "{}",
        String::from_utf8_lossy(&second.stderr)
    );
    ensure!(
        String::from_utf8(second.stdout)? == said,
        "the same seed, the same words"
    );
    Ok(())
}

#[test]
fn the_founding_case_is_told_and_the_readmes_map_is_the_demos() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = demo(&["--once", "--out", "release"], folder.path())?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let map = std::fs::read(folder.path().join("release/2026-W46.0/map.svg"))?;
    let text = String::from_utf8_lossy(&map).to_lowercase();
    ensure!(text.contains("synthetic homes"), "an exercise says so");
    golden::check("docs/map.svg", &map);
    let readme = std::fs::read_to_string(golden::root().join("README.md"))?;
    ensure!(readme.contains("docs/map.svg"), "the README shows it");
    let attacked = crate::publishing::attacked::all_attacked(&folder.path().join("release"))?;
    ensure!(attacked > 0, "its releases were attacked");

    // The founding case: three facts, three columns.
    let release = std::fs::read_to_string(folder.path().join("release/2026-W46.0/release.json"))?;
    let xiaomi = Vendor::from_id("xiaomi").context("a listed vendor")?;
    let release = json::from_json(&release)?;
    let site = Site::of(&[&release]).context("a release")?;
    let page = site.page(Address {
        language: Language::En,
        page: Page::Vendor(xiaomi, Fact::Server),
    });
    let page = page.context("a vendor's page")?;
    let columns: Vec<&str> = page.split("<td><h3 aria-hidden").skip(1).collect();
    let [server, network, owner] = columns[..] else {
        anyhow::bail!("three columns: {}", columns.len());
    };
    for (column, facts) in [
        (server, [">Singapore</a></b>: ", ">Russia</a></b>: "]),
        (
            network,
            ["<b>Alibaba Cloud</b>, registered in", ">China</a>"],
        ),
        (owner, ["<b>Xiaomi</b>, ", "registered in China"]),
    ] {
        let column = column.split("</td>").next().unwrap_or_default();
        for fact in facts {
            ensure!(column.contains(fact), "{fact} is not in {column}");
        }
    }
    Ok(())
}

#[test]
fn what_stands_in_its_way_is_one_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // If somebody else has the port already, so much the better.
    let _taken = TcpListener::bind(phonehome_tests::demo::HTTP_ADDRESS);
    let cases: [(&[&str], i32, &str); 4] = [
        (&["--homes", "1"], 69, "127.0.0.1:8080"),
        (&["--once", "--capture", "absent.pcap"], 65, "absent.pcap"),
        (&["--homes", "0"], 2, "--homes"),
        (&["--weeks", "1000"], 2, "--weeks"),
    ];
    for (arguments, code, named) in cases {
        let output = demo(arguments, folder.path())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(code), "{arguments:?}: {said}");
        ensure!(said.contains(named), "{arguments:?}: {said}");
        ensure!(
            code == 2 || said.trim_end().lines().count() == 1,
            "one sentence: {said}"
        );
    }
    Ok(())
}
