//! `docs/verify.md`, run as it is written: a release is checked by tools that are not ours.

use super::Published;
use anyhow::{Context, Result, ensure};
use phonehome_tests::golden;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The commands of the document, one after the other.
fn commands() -> Result<String> {
    let text = fs::read_to_string(golden::root().join("docs/verify.md"))?;
    let blocks = text.split("```sh\n").skip(1);
    let commands: Vec<&str> = blocks
        .map(|block| block.split("```").next().context("a block ends"))
        .collect::<Result<_>>()?;
    ensure!(commands.len() >= 5, "{} blocks", commands.len());
    Ok(commands.concat())
}

fn check(folder: &Path) -> Result<Output> {
    let shell = Command::new("sh")
        .args(["-eu", "-c", &commands()?])
        .current_dir(folder)
        .output()?;
    Ok(shell)
}

#[test]
#[ignore = "needs GNU coreutils 8.31 and OpenSSL 3"]
fn the_document_s_commands_check_a_release() -> Result<()> {
    let published = Published::new()?;
    let folder = published.path();
    let said = check(&folder)?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    ensure!(
        said.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    ensure!(text.contains("Signature Verified Successfully"), "{text}");
    let fingerprint = phonehome_collector::publish::fingerprint(&published.key.public());
    ensure!(
        text.contains(&fingerprint.replace(' ', "")),
        "the fingerprint is the one our program prints: {text}"
    );

    // What our program refuses they refuse too.
    for name in [
        "matrix-server.csv",
        "map.png",
        "SHA256SUMS",
        "SHA256SUMS.sig",
        "collector.pub",
        "releases.txt",
    ] {
        let path = folder.join(name);
        let bytes = fs::read(&path)?;
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] = if changed[middle] == b'0' { b'1' } else { b'0' };
        fs::write(&path, changed)?;
        ensure!(!check(&folder)?.status.success(), "{name} was changed");
        fs::write(&path, bytes)?;
    }
    fs::write(folder.join("note.txt"), "hello")?;
    ensure!(!check(&folder)?.status.success(), "a file was added");
    fs::remove_file(folder.join("note.txt"))?;
    ensure!(
        check(&folder)?.status.success(),
        "restored, it passes again"
    );
    Ok(())
}
