use super::*;
use crate::format::fixture;
use crate::map::{self, View};
use phonehome_proto::vendor::Vendor;

fn map() -> String {
    map::svg(&fixture::release(), View::AllVendors)
}

/// Width, height and the four bytes of each pixel.
fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .expect("a PNG");
    let mut colours = vec![0; reader.output_buffer_size().expect("it fits memory")];
    let info = reader.next_frame(&mut colours).expect("whole");
    colours.truncate(info.buffer_size());
    (info.width, info.height, colours)
}

/// A small picture with one letter-bearing line and one area of a known colour.
fn small(word: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100" width="200" height="100" font-family="system-ui, Arial, sans-serif"><rect width="200" height="50" fill="#00204d"/><text x="10" y="90" font-size="30">{word}</text></svg>"##
    )
}

#[test]
fn the_same_picture_is_the_same_bytes() {
    let (one, other) = (Picture::of(&map()), Picture::of(&map()));
    let release = fixture::release();
    assert_eq!(one.png(400), other.png(400));
    assert_eq!(one.pdf(&release, "map"), other.pdf(&release, "map"));
}

#[test]
fn a_png_is_as_wide_as_asked() {
    let picture = Picture::of(&small("a"));
    let (width, height, colours) = pixels(&picture.png(300).expect("a width"));
    assert_eq!((width, height), (300, 150));
    let at = |x: usize, y: usize| &colours[(y * 300 + x) * 4..][..4];
    let area = [0x00, 0x20, 0x4d, 0xff];
    assert_eq!(at(150, 30), area, "the area has its colour");
    assert_eq!(at(299, 149), [0xff; 4], "and the ground is white");
}

#[test]
fn letters_are_drawn_with_the_typeface_that_is_compiled_in() {
    let ink = |word| {
        let (_, _, colours) = pixels(&Picture::of(&small(word)).png(200).expect("a width"));
        let below = &colours[200 * 4 * 55..];
        below.chunks_exact(4).filter(|pixel| pixel[0] < 128).count()
    };
    assert_eq!(ink(""), 0);
    for word in ["Xiaomi", "Größe", "Où", "España", "Россия"] {
        assert!(ink(word) > 100, "{word}: {}", ink(word));
    }
    // A letter that the typeface lacks is neither left out nor taken from somebody else's.
    let picture = Picture::of(&small("a家b庭c"));
    let said = Picture::of(&small("a?b?c"));
    assert_eq!(picture.png(200), said.png(200));
    let release = fixture::release();
    assert_eq!(picture.pdf(&release, "map"), said.pdf(&release, "map"));
}

/// Every name of a country, a vendor and a source in every picture can be written.
#[test]
fn no_picture_of_ours_lacks_a_letter() {
    for view in [View::World, View::AllVendors, View::Matrix, View::Flows] {
        let (_, lacking) = read(&map::svg(&fixture::release(), view));
        assert!(lacking.is_empty(), "{view:?} lacks {lacking:?}");
    }
    let names: String = map::borders::shapes()
        .iter()
        .map(|shape| shape.name)
        .collect();
    for letter in names.chars().filter(|letter| !letter.is_ascii()) {
        let (_, lacking) = read(&small(&letter.to_string()));
        assert!(lacking.is_empty(), "{letter}");
    }
}

#[test]
fn absurd_widths_are_refused() {
    let picture = Picture::of(&map());
    for width in [0, 15, 4_097, u32::MAX] {
        assert_eq!(picture.png(width), None, "{width}");
    }
    let strip = small("a").replace(r#"0 0 200 100" width="200""#, r#"0 0 1 100" width="1""#);
    assert_eq!(
        Picture::of(&strip).height_px(4_096),
        None,
        "too many pixels"
    );
}

#[test]
fn nothing_outside_the_text_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/map.svg");
    let link = format!(r#"<image href="{path}" width="200" height="100"/></svg>"#);
    let with = small("a").replace("</svg>", &link);
    assert_eq!(
        Picture::of(&with).png(200),
        Picture::of(&small("a")).png(200)
    );
}

#[test]
fn a_page_names_its_release_and_no_other_time() {
    let release = fixture::release();
    let pdf = Picture::of(&map()).pdf(&release, "map");
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let text = String::from_utf8_lossy(&pdf);
    for part in [
        "Phonehome release 2026-W46.0: map",
        "SYNTHETIC HOMES",
        "2026-11-20T00:00:00",
        "pdfaid:part",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let dates = text.matches("Date>20").count() + text.matches("Date (D:20").count();
    let ours = text.matches("Date>2026-11-20T00:00:00").count()
        + text.matches("Date (D:20261120000000").count();
    assert!(ours > 0 && dates == ours, "{ours} of {dates}");
}

#[test]
fn every_map_can_be_archived() {
    let release = fixture::release();
    for vendor in Vendor::all() {
        let picture = Picture::of(&map::svg(&release, View::Vendor(vendor)));
        assert!(picture.pdf(&release, vendor.id()).len() > 10_000);
        assert!(picture.height_px(1_600).is_some());
    }
}
