//! The map as a picture: land as a raster, a disc with a letter for each country, the legend below.
//!
//! One SVG file in UTF-8 that loads nothing and runs nothing. The same chart gives the same bytes.

use super::land::{self, COLUMNS, ROWS, TENTHS_PER_SQUARE};
use super::spots::Spots;
use super::{Chart, NOTES, Row};
use std::fmt::Write;

const WIDTH_PX: i32 = 960;

/// Above the world: the title.
const TOP_PX: i32 = 44;

const WORLD_PX: i32 = 426;

const LINE_PX: i32 = 20;

/// How large a disc is.
const RADIUS_PX: i32 = 9;

/// Where the columns of the legend begin, or for numbers end.
const PLACE_PX: i32 = 48;
const FLOWS_PX: i32 = 460;
const SHARE_PX: i32 = 530;
const PHONES_PX: i32 = 560;

/// The picture; `chart` holds at least one flow.
pub(in crate::run::inspect) fn svg(chart: &Chart) -> String {
    let rows = chart.rows();
    let lines = i32::try_from(rows.len() + 1 + NOTES.len()).expect("there are 250 countries");
    let height = TOP_PX + WORLD_PX + (lines + 2) * LINE_PX;
    let title = escape(&chart.title());
    let mut out = String::new();
    draw(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH_PX} {height}\" \
             width=\"{WIDTH_PX}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title\" \
             font-family=\"sans-serif\" font-size=\"14\" fill=\"#222\">\n\
             <title id=\"title\">{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n"
        ),
    );
    let square = TENTHS_PER_SQUARE / 10;
    draw(
        &mut out,
        format_args!(
            "<path transform=\"translate(0 {TOP_PX}) scale({square})\" stroke=\"#c9ccd1\" \
             shape-rendering=\"crispEdges\" d=\"{}\"/>\n",
            land_path()
        ),
    );
    marks(&mut out, &rows);
    legend(&mut out, &rows, TOP_PX + WORLD_PX + LINE_PX);
    out.push_str("</svg>\n");
    out
}

/// A stroke along every run of land, one square thick.
fn land_path() -> String {
    let mut path = String::new();
    for row in 0..ROWS {
        let mut column = 0;
        while column < COLUMNS {
            let length = (column..COLUMNS)
                .take_while(|column| land::is_land(*column, row))
                .count();
            if length > 0 {
                draw(&mut path, format_args!("M{column} {row}.5h{length}"));
            }
            column += length.max(1);
        }
    }
    path
}

/// A disc moved aside keeps a line to its place.
fn marks(out: &mut String, rows: &[Row]) {
    let marked: Vec<_> = rows.iter().filter_map(|row| row.mark.zip(row.at)).collect();
    let whole = |tenths: usize| i32::try_from(tenths / 10).expect("the picture is small");
    let wanted: Vec<_> = marked
        .iter()
        .map(|(_, (x, y))| (whole(*x), whole(*y) + TOP_PX))
        .collect();
    let spots = Spots {
        size: (WIDTH_PX, TOP_PX + WORLD_PX),
        step: RADIUS_PX,
        reach: 12,
        apart: 2 * RADIUS_PX,
        aspect: 1,
    };
    let placed = spots.place(&wanted);
    for (((letter, _), from), to) in marked.iter().zip(&wanted).zip(placed) {
        let Some((x, y)) = to else { continue };
        if *from != (x, y) {
            let (of_x, of_y) = from;
            draw(
                out,
                format_args!("<path d=\"M{of_x} {of_y}L{x} {y}\" stroke=\"#00204d\"/>\n"),
            );
        }
        draw(
            out,
            format_args!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS_PX}\" fill=\"#00204d\" stroke=\"#fff\"/>\
                 <text x=\"{x}\" y=\"{}\" font-size=\"12\" fill=\"#fff\" \
                 text-anchor=\"middle\">{letter}</text>\n",
                y + 4
            ),
        );
    }
}

fn legend(out: &mut String, rows: &[Row], top_px: i32) {
    let mut y = top_px;
    let mut line = |cells: [&str; 5], weight: &str| {
        let columns = [
            (24, "middle"),
            (PLACE_PX, "start"),
            (FLOWS_PX, "end"),
            (SHARE_PX, "end"),
            (PHONES_PX, "start"),
        ];
        for (cell, (x, anchor)) in cells.into_iter().zip(columns) {
            if !cell.is_empty() {
                draw(
                    out,
                    format_args!(
                        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{weight}>{}</text>",
                        escape(cell)
                    ),
                );
            }
        }
        out.push('\n');
        y += LINE_PX;
    };
    let bold = " font-weight=\"bold\"";
    line(["", "servers in", "flows", "share", "phones"], bold);
    for row in rows {
        let mark = row.mark.unwrap_or('-').to_string();
        let cells = [&mark, &row.place, &row.flows, &row.share, &row.phones];
        line(cells.map(String::as_str), "");
    }
    for note in NOTES {
        line(["", note, "", "", ""], "");
    }
}

fn draw(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a text grows");
}

/// What a database calls itself may hold anything.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
