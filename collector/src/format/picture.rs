//! An SVG of ours as PNG and PDF: the same picture, of the same bytes.
//!
//! Takes the text of an SVG that this program drew; gives files that are the same wherever and however
//! often they are made: letters come from the typeface that is compiled in and from no other, no clock is
//! read, and nothing outside the text is looked at. One tree of shapes serves both.
//!
//! The typeface has Latin, Greek and Cyrillic. Pictures in files are in English; a letter it lacks can only
//! come from outside, and is a question mark rather than a gap or an empty box. Pages show their SVG with
//! the reader's own typefaces, in every language.
//!
//! A PNG may have any width in [`WIDTHS_PX`], as long as the whole stays under [`PIXELS_MAX`]: what a
//! reader asks for costs memory by the pixel.

mod pdf;

use resvg::{tiny_skia, usvg};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Widths a PNG may have.
pub const WIDTHS_PX: RangeInclusive<u32> = 16..=4_096;

/// So many pixels a PNG may have in all; each takes four bytes while it is made.
pub const PIXELS_MAX: u64 = 40_000_000;

/// The typeface, and the only one there is.
static TYPEFACE: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(include_bytes!("../../data/fonts/OpenSans-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../../data/fonts/OpenSans-Bold.ttf").to_vec());
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

const FAMILY: &str = "Open Sans";

/// What stands for a letter that the typeface lacks: Chinese in the name of somebody's database.
const STAND_IN: &str = "?";

/// A picture, read once, to be drawn as often and as large as wanted.
#[derive(Debug)]
pub struct Picture {
    tree: usvg::Tree,
}

impl Picture {
    /// The picture an SVG of ours shows.
    ///
    /// # Panics
    /// If it is no SVG: this program wrote it.
    #[must_use]
    pub fn of(svg: &str) -> Self {
        let (mut tree, mut lacking) = read(svg);
        let mut text = svg.to_owned();
        // Each turn takes at least one letter out of the text, so there is a last one.
        while text.contains(|letter| lacking.contains(&letter)) {
            text = text.replace(|letter| lacking.contains(&letter), STAND_IN);
            (tree, lacking) = read(&text);
        }
        Self { tree }
    }

    /// How many pixels high it is at this width; `None` if it may not be drawn so large, or so small.
    #[must_use]
    pub fn height_px(&self, width_px: u32) -> Option<u32> {
        if !WIDTHS_PX.contains(&width_px) {
            return None;
        }
        let size = self.tree.size();
        let height = f64::from(width_px) * f64::from(size.height()) / f64::from(size.width());
        #[allow(
            clippy::cast_possible_truncation,
            reason = "rounded up, and a float too large becomes the largest integer, which is refused"
        )]
        let height_px = height.ceil() as u32;
        (u64::from(width_px) * u64::from(height_px) <= PIXELS_MAX).then_some(height_px)
    }

    /// The picture as PNG, `width_px` wide, on white; `None` where [`Self::height_px`] is.
    #[must_use]
    pub fn png(&self, width_px: u32) -> Option<Vec<u8>> {
        let height_px = self.height_px(width_px)?;
        let mut canvas = tiny_skia::Pixmap::new(width_px, height_px)?;
        canvas.fill(tiny_skia::Color::WHITE);
        let (across, down) = (
            ratio(width_px, self.tree.size().width()),
            ratio(height_px, self.tree.size().height()),
        );
        // Rounding the height up stretches it by less than a pixel.
        let scale = tiny_skia::Transform::from_scale(across, down);
        resvg::render(&self.tree, scale, &mut canvas.as_mut());
        Some(encoded(width_px, height_px, canvas.data()))
    }
}

/// The shapes of a text, and letters in it that the typeface lacks: of each run of letters the first.
fn read(svg: &str) -> (usvg::Tree, BTreeSet<char>) {
    let lacking = Arc::new(Mutex::new(BTreeSet::new()));
    let noted = Arc::clone(&lacking);
    let options = usvg::Options {
        fontdb: Arc::clone(&TYPEFACE),
        font_family: FAMILY.to_owned(),
        font_resolver: usvg::FontResolver {
            select_font: usvg::FontResolver::default_font_selector(),
            // Asked for another typeface, there is none: the letter is noted instead.
            select_fallback: Box::new(move |letter, _, _| {
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.insert(letter);
                None
            }),
        },
        // Pictures of ours hold no pictures; no text may name a file to be read.
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).expect("an SVG of ours is one");
    let mut lacking = lacking.lock().unwrap_or_else(PoisonError::into_inner);
    (tree, std::mem::take(&mut *lacking))
}

/// Widths are below 2^24, so no pixel is lost.
fn ratio(pixels: u32, units: f32) -> f32 {
    pixels as f32 / units
}

/// Pixels of four bytes as PNG. On white nothing is transparent, so that colours are what they are.
fn encoded(width_px: u32, height_px: u32, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width_px, height_px);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    // Areas of one colour and thin lines: filters made for photographs make these larger by a third.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_compression(png::Compression::Balanced);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("memory takes everything");
    file
}

#[cfg(test)]
mod tests;
