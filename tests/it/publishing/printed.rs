//! Maps on paper and as pixels: a PDF says every word that its SVG says, a PNG is that SVG.

use super::Published;
use anyhow::{Context, Result, ensure};
use phonehome_collector::format::picture::Picture;
use phonehome_collector::publish::PNG_WIDTH_PX;
use std::fs;
use std::process::Command;

const MAPS: [&str; 3] = ["map", "map-network", "map-owner"];

#[test]
#[ignore = "needs pdftotext, of poppler-utils"]
fn a_pdf_says_what_its_svg_says() -> Result<()> {
    let published = Published::new()?;
    for name in MAPS {
        let svg = fs::read_to_string(published.path().join(format!("{name}.svg")))?;
        let pdf = Command::new("pdftotext")
            .args(["-raw", "-enc", "UTF-8"])
            .arg(published.path().join(format!("{name}.pdf")))
            .arg("-")
            .output()
            .context("pdftotext is installed")?;
        ensure!(pdf.status.success(), "{name}: it is no PDF");
        // Where lines end and letters stand apart is the printer's matter.
        let printed = letters(&String::from_utf8(pdf.stdout)?);
        let mut words = 0;
        for line in texts(&svg)? {
            let line = letters(&line);
            ensure!(printed.contains(&line), "{name}: {line:?} is not in it");
            words += 1;
        }
        ensure!(words > 20, "{name}: {words} texts");
    }
    Ok(())
}

#[test]
fn a_png_is_its_svg() -> Result<()> {
    let published = Published::new()?;
    for name in MAPS {
        let file = |ending: &str| published.path().join(format!("{name}.{ending}"));
        let picture = Picture::of(&fs::read_to_string(file("svg"))?);
        let drawn = picture.png(PNG_WIDTH_PX).context("a picture")?;
        ensure!(drawn == fs::read(file("png"))?, "{name}");
    }
    Ok(())
}

/// Every text that is drawn in an SVG.
fn texts(svg: &str) -> Result<Vec<String>> {
    let document = roxmltree::Document::parse(svg)?;
    let texts = document.descendants();
    let texts = texts.filter(|node| node.has_tag_name((SVG, "text")));
    let texts = texts.map(|node| {
        let parts = node.descendants().filter(roxmltree::Node::is_text);
        parts.filter_map(|part| part.text()).collect()
    });
    Ok(texts.collect())
}

const SVG: &str = "http://www.w3.org/2000/svg";

fn letters(text: &str) -> String {
    text.chars().filter(|of| !of.is_whitespace()).collect()
}
