//! The one-liners of `docs/api.md`, run as they are written: only the address is another.

use super::Served;
use anyhow::{Context, Result, ensure};
use phonehome_collector::format::csv;
use phonehome_collector::format::table::{Field, Table, TableName};
use phonehome_proto::vendor::Vendor;
use phonehome_tests::demo::HOMES;
use phonehome_tests::golden;
use phonehome_tests::programs::{python, said};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The address that the document tells readers to replace.
const WRITTEN: &str = "http://127.0.0.1:8080";

/// A piece of code of the document.
struct Block {
    language: String,
    code: String,
}

/// The one-liners, asking `url`.
fn blocks(url: &str) -> Result<Vec<Block>> {
    let text = fs::read_to_string(golden::root().join("docs/api.md"))?;
    let section = text
        .split("\n## ")
        .find_map(|section| section.strip_prefix("One-liners\n"));
    let section = section.context("a section of one-liners")?;
    // Prose and code take turns.
    let fenced = section.split("```").skip(1).step_by(2);
    let blocks = fenced.map(|fenced| {
        let (language, code) = fenced.split_once('\n').context("a block has lines")?;
        ensure!(code.contains(WRITTEN), "it asks somebody else: {code}");
        Ok(Block {
            language: language.to_owned(),
            code: code.replace(WRITTEN, url),
        })
    });
    blocks.collect()
}

impl Block {
    /// What it prints, run in `folder` by whoever speaks its language.
    fn run(&self, folder: &Path) -> Result<String> {
        let mut program = match self.language.as_str() {
            "sh" => Command::new("sh"),
            "python" => python(),
            "r" => Command::new("Rscript"),
            "sql" => python(),
            other => anyhow::bail!("nobody here speaks '{other}'"),
        };
        match self.language.as_str() {
            "sh" => program.args(["-eu", "-c"]),
            "python" => program.arg("-c"),
            "r" => program.args(["--vanilla", "-e"]),
            _ => program.arg(golden::root().join("tests/it/api/sql.py")),
        };
        said(program.arg(&self.code).current_dir(folder))
    }
}

/// Vendor, country and share of every row where some home did it.
fn shares(table: &Table) -> Result<Vec<(String, String, f64)>> {
    let column = |name: &str| {
        let at = table.columns.iter().position(|column| *column == name);
        at.with_context(|| format!("a column '{name}'"))
    };
    let (vendor, country, share) = (column("vendor")?, column("country")?, column("share")?);
    let mut shares = Vec::new();
    for row in &table.rows {
        if let Field::Share(points) = row[share]
            && points.0 > 0
        {
            let share = f64::from(points.0) / 10_000.0;
            shares.push((
                csv::of_field(&row[vendor]),
                csv::of_field(&row[country]),
                share,
            ));
        }
    }
    shares.sort_by(|one, other| one.partial_cmp(other).expect("shares are numbers"));
    Ok(shares)
}

/// The same, from what a program printed: lines that end in a vendor, a country and a number.
fn printed(text: &str) -> Vec<(String, String, f64)> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace().rev();
        let share = words.next()?.parse().ok()?;
        let (country, vendor) = (words.next()?, words.next()?);
        Some((vendor.to_owned(), country.to_owned(), share))
    });
    let mut shares: Vec<_> = lines.collect();
    shares.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    shares
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl, R, and a Python with pandas, fsspec, aiohttp, duckdb and its httpfs: PHONEHOME_PYTHON"]
async fn the_documents_one_liners_say_what_the_release_says() -> Result<()> {
    let served = Served::after(HOMES, 2).await?;
    let release = served.newest()?;
    let by_server = Table::of(release, TableName::Server);
    let by_owner = Table::of(release, TableName::Owner);
    ensure!(
        !shares(&by_server)?.is_empty(),
        "there is something to print"
    );

    let blocks = blocks(&served.url()?)?;
    let languages: Vec<&str> = blocks.iter().map(|block| &block.language[..]).collect();
    ensure!(
        languages == ["sh", "python", "python", "python", "r", "sql"],
        "{languages:?}"
    );
    let folder = tempfile::tempdir()?;
    let said: Vec<String> = blocks
        .iter()
        .map(|block| block.run(folder.path()))
        .collect::<Result<_>>()?;

    ensure!(said[0] == csv::write(&by_server), "curl: {}", said[0]);
    let map = fs::read(folder.path().join("map.png"))?;
    ensure!(
        map.starts_with(b"\x89PNG\r\n\x1a\n") && map[16..20] == 800_u32.to_be_bytes(),
        "curl: a picture 800 pixels wide"
    );

    let xiaomi = Vendor::from_id("xiaomi").context("a listed vendor")?;
    let of_xiaomi = csv::write(&by_server.clone().of_vendor(xiaomi));
    let pairs = of_xiaomi.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (!fields[4].is_empty()).then(|| format!("('{}', '{}')", fields[2], fields[4]))
    });
    let pairs = format!("[{}]\n", pairs.collect::<Vec<_>>().join(", "));
    ensure!(said[1] == pairs, "Python: {} is not {pairs}", said[1]);

    for (at, table) in [
        (2, &by_owner),
        (3, &by_server),
        (4, &by_server),
        (5, &by_server),
    ] {
        let (found, expected) = (printed(&said[at]), shares(table)?);
        let language = languages[at];
        ensure!(
            found == expected,
            "{language}: {}\nis not {expected:?}",
            said[at]
        );
    }
    served.world.end().await;
    Ok(())
}
