//! The map as text: a world of dots, letters for countries, a legend.
//!
//! Two dots across and four down make one letter of Braille; where the locale has none, one dot is a
//! full stop. No line is wider than the screen but for a single word that is; on one too narrow for a
//! world only the legend is shown. Colour adds nothing that letters do not say.

use super::land::{self, COLUMNS, ROWS, TENTHS_PER_SQUARE};
use super::spots::Spots;
use super::{Chart, NOTES, Row};
use crate::run::inspect::screen::Screen;

/// Above this the world has no more to show.
const COLUMNS_MAX: usize = 76;

/// Below this nobody would know the world again.
const COLUMNS_MIN: usize = 40;

/// How far a letter may move aside.
const REACH_CELLS: i32 = 6;

/// The map, lines with their ends; `chart` holds at least one flow.
pub(in crate::run::inspect) fn text(chart: &Chart, screen: Screen) -> String {
    let rows = chart.rows();
    let mut lines = wrap(&chart.title(), screen.columns);
    lines.push(String::new());
    let columns = screen.columns.min(COLUMNS_MAX);
    if columns >= COLUMNS_MIN {
        lines.extend(world(&rows, columns, screen));
        lines.push(String::new());
    }
    lines.extend(legend(&rows, screen.columns));
    lines.push(String::new());
    for note in NOTES {
        lines.extend(wrap(note, screen.columns));
    }
    let ended = lines.into_iter().map(|line| {
        let line = if screen.is_utf8 { line } else { ascii(&line) };
        format!("{}\n", line.trim_end())
    });
    ended.collect()
}

/// The world, row by row, with its letters.
fn world(rows: &[Row], columns: usize, screen: Screen) -> Vec<String> {
    // A letter is twice as high as wide.
    let height = (ROWS * columns).div_ceil(2 * COLUMNS);
    let cell = |row: &Row| {
        let (x, y) = row.at?;
        let wide = COLUMNS * TENTHS_PER_SQUARE;
        let whole = |cells: usize| i32::try_from(cells).expect("a screen is small");
        Some((whole(x * columns / wide), whole(y * columns / (2 * wide))))
    };
    let wanted: Vec<_> = rows.iter().filter_map(cell).collect();
    let size = |cells: usize| i32::try_from(cells).expect("a screen is small");
    let spots = Spots {
        size: (size(columns), size(height)),
        step: 1,
        reach: REACH_CELLS,
        apart: 1,
        aspect: 2,
    };
    let letters: Vec<_> = rows
        .iter()
        .filter_map(|row| row.mark)
        .zip(spots.place(&wanted))
        .collect();
    let at = |column: usize, row: usize| {
        let here = Some((size(column), size(row)));
        let found = letters.iter().find(|(_, spot)| *spot == here);
        match found {
            Some((letter, _)) if screen.is_coloured => format!("\x1b[1;7m{letter}\x1b[0m"),
            Some((letter, _)) => letter.to_string(),
            None if screen.is_utf8 => braille(column, row, columns).to_string(),
            None => full_stop(column, row, columns).to_string(),
        }
    };
    let line = |row| (0..columns).map(|column| at(column, row)).collect();
    (0..height).map(line).collect()
}

/// Eight dots, Unicode 10.0 chapter 21.1: three and one down, left then right.
fn braille(column: usize, row: usize, columns: usize) -> char {
    const BITS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let mut bits = 0;
    for (right, down_bits) in BITS.iter().enumerate() {
        for (down, bit) in down_bits.iter().enumerate() {
            if dot(2 * column + right, 4 * row + down, 2 * columns, 1) {
                bits |= bit;
            }
        }
    }
    match bits {
        0 => ' ',
        _ => char::from_u32(0x2800 + bits).expect("a block of 256"),
    }
}

fn full_stop(column: usize, row: usize, columns: usize) -> char {
    if dot(column, row, columns, 2) {
        '.'
    } else {
        ' '
    }
}

/// Whether a dot is land, where `across` of them span the world and each is `tall` times as high as
/// wide.
fn dot(column: usize, row: usize, across: usize, tall: usize) -> bool {
    let squares = |dots: usize| dots * COLUMNS / across;
    land::is_mostly_land(
        squares(column)..squares(column + 1),
        squares(row * tall)..squares((row + 1) * tall),
    )
}

/// The rows under their heading, the last column folded.
fn legend(rows: &[Row], columns: usize) -> Vec<String> {
    let heading = ["", "servers in", "flows", "share", "phones"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let mark = row.mark.unwrap_or('-').to_string();
        [&mark, &row.place, &row.flows, &row.share, &row.phones].map(Clone::clone)
    });
    let cells: Vec<_> = std::iter::once(heading).chain(cells).collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let [mark, place, flows, share] = [0, 1, 2, 3].map(width);
    let before = mark + place + flows + share + 8;
    // On a narrow screen what is last goes under the rest.
    let (indent, left) = match columns.checked_sub(before) {
        Some(left) if left >= 16 => (before, left),
        _ => (mark + 2, columns.saturating_sub(mark + 2)),
    };
    let mut lines = Vec::new();
    for [a, b, c, d, phones] in &cells {
        let mut line = format!("{a:mark$}  {b:place$}  {c:>flows$}  {d:>share$}  ");
        for (number, part) in wrap(phones, left).iter().enumerate() {
            if number > 0 || indent < before {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            line.push_str(part);
        }
        lines.push(line);
    }
    lines
}

/// Breaks a text between words.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// For screens without more: what is no ASCII becomes a question mark.
fn ascii(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect()
}
