//! Tables in the page's language: the matrix in colours, and every number with all that belongs to it.
//!
//! The state of a cell is in its text as well as in its colour. Each number stands with its interval,
//! its homes and networks, how many would have to lie for it to vanish, and how its place is known.

use super::address::Page;
use super::frame::Writer;
use crate::map::Fact;
use crate::map::classes::Look;
use crate::map::svg::text::escape;
use crate::release::{Cell, Column, Matrix};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeSet;

/// A row of [`Writer::numbers`]: markup that names it, and its cell.
pub(super) type Row<'a> = (Vec<String>, &'a Cell);

impl Writer<'_> {
    /// Vendors down, countries across; columns in which every vendor is zero are left out.
    pub(super) fn heat(&self, fact: Fact) -> String {
        let matrix = fact.matrix(self.release);
        let says =
            |cell: &Cell| !matches!(cell, Cell::Zero(_) | Cell::NoData | Cell::NotApplicable);
        let shown = matrix.iter().filter(|(_, cell)| says(cell));
        let columns: BTreeSet<Column> = shown.map(|((_, column), _)| *column).collect();
        let vendors: BTreeSet<Vendor> = matrix.keys().map(|(vendor, _)| *vendor).collect();
        if columns.is_empty() {
            return self.nothing();
        }
        let heads: String = columns
            .iter()
            .map(|column| {
                let link = format!(
                    "<a href=\"{}\"><abbr title=\"{}\">{}</abbr></a>",
                    self.to(Page::Country(*column)),
                    escape(&self.language().column(column)),
                    escape(column.code())
                );
                format!("<th scope=\"col\">{link}</th>")
            })
            .collect();
        let mut rows = String::new();
        for vendor in vendors {
            let name = self.link(Page::Vendor(vendor, fact), vendor.name());
            rows.push_str(&format!("<tr><th scope=\"row\">{name}</th>"));
            for column in &columns {
                let cell = matrix.get(&(vendor, *column)).unwrap_or(&Cell::NoData);
                rows.push_str(&self.heat_cell(cell));
            }
            rows.push_str("</tr>\n");
        }
        format!(
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption>{0}</caption>\n\
             <thead><tr><th scope=\"col\">{1}</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n\
             <p class=\"note\">{2}</p>\n",
            self.say(&format!("fact.{}", fact.by())),
            self.say("table.vendor"),
            self.say("table.key")
        )
    }

    fn heat_cell(&self, cell: &Cell) -> String {
        let language = self.language();
        let (class, text) = match (Look::of(cell), cell) {
            (Look::Value(class), Cell::Value(numbers)) => (
                format!("k{}", class.number()),
                language.percent(numbers.share),
            ),
            (Look::Imprecise(class), Cell::Imprecise(numbers)) => (
                format!("k{} dotted", class.number()),
                format!("≈\u{a0}{}", language.percent(numbers.share)),
            ),
            (_, Cell::Zero(_)) => ("zero".to_owned(), "0".to_owned()),
            (_, Cell::Suppressed) => ("suppressed".to_owned(), "sup.".to_owned()),
            (_, Cell::NotApplicable) => ("not_applicable".to_owned(), "n/a".to_owned()),
            _ => ("no_data".to_owned(), "–".to_owned()),
        };
        format!(
            "<td class=\"{class}\" data-state=\"{}\"><abbr title=\"{}\">{}</abbr></td>",
            cell.state(),
            escape(&language.cell(cell)),
            escape(&text)
        )
    }

    /// The rows of a matrix that `keep` takes, named by vendor and country.
    pub(super) fn matrix(
        &self,
        caption: &str,
        matrix: &Matrix,
        keep: impl Fn(Vendor, &Column) -> bool,
    ) -> String {
        let rows = matrix
            .iter()
            .filter(|((vendor, column), _)| keep(*vendor, column))
            .map(|((vendor, column), cell)| {
                let names = vec![
                    self.link(Page::Vendor(*vendor, Fact::Server), vendor.name()),
                    self.link(Page::Country(*column), &self.language().column(column)),
                ];
                (names, cell)
            });
        self.numbers(caption, &["table.vendor", "table.country"], rows)
    }

    /// Every row but the zeros, which are counted.
    pub(super) fn numbers<'a>(
        &self,
        caption: &str,
        names: &[&str],
        rows: impl Iterator<Item = Row<'a>>,
    ) -> String {
        let rows: Vec<Row<'_>> = rows.collect();
        let all = rows.len();
        let told: Vec<Row<'_>> = rows
            .into_iter()
            .filter(|(_, cell)| !matches!(cell, Cell::Zero(_)))
            .collect();
        let zeros = u32::try_from(all - told.len()).unwrap_or(u32::MAX);
        let left_out = match zeros {
            0 => String::new(),
            _ => escape(&self.language().counted("table.zeros", zeros, &[])),
        };
        if told.is_empty() {
            let empty = self.say("table.empty");
            return format!("<p class=\"note\">{empty} {left_out}</p>\n");
        }
        let heads: String = names
            .iter()
            .map(|key| format!("<th scope=\"col\" class=\"text\">{}</th>", self.say(key)))
            .chain(
                ["share", "interval", "homes", "networks", "radius"].map(|key| {
                    format!(
                        "<th scope=\"col\">{}</th>",
                        self.say(&format!("table.{key}"))
                    )
                }),
            )
            .collect();
        let mut out = format!(
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"numbers\"><caption>{0}. {left_out}</caption>\n\
             <thead><tr>{heads}<th scope=\"col\" class=\"text\">{1}</th></tr></thead>\n<tbody>\n",
            escape(caption),
            self.say("table.how")
        );
        for (names, cell) in told {
            out.push_str("<tr>");
            for (at, name) in names.iter().enumerate() {
                out.push_str(&match at {
                    0 => format!("<th scope=\"row\">{name}</th>"),
                    _ => format!("<td class=\"text\">{name}</td>"),
                });
            }
            out.push_str(&self.figures(cell));
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
        out
    }

    /// Share, interval, homes, networks, radius, and how we know; or the state in words.
    fn figures(&self, cell: &Cell) -> String {
        let language = self.language();
        let state = cell.state();
        let Some(numbers) = cell.numbers() else {
            return format!(
                "<td colspan=\"6\" class=\"text {state}\">{}</td>",
                escape(&language.cell(cell))
            );
        };
        let mark = if matches!(cell, Cell::Imprecise(_)) {
            "≈\u{a0}"
        } else {
            ""
        };
        let how = match cell {
            Cell::Imprecise(_) => format!(
                "{} · {}",
                language.text("state.imprecise"),
                language.status(numbers.place_status)
            ),
            _ => language.status(numbers.place_status).to_owned(),
        };
        format!(
            "<td>{mark}{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{}</td>",
            language.percent(numbers.share),
            escape(&language.interval(numbers)),
            language.number(numbers.n),
            language.number(numbers.networks),
            language.number(numbers.radius),
            escape(&how)
        )
    }

    pub(super) fn nothing(&self) -> String {
        format!("<p class=\"note\">{}</p>\n", self.say("table.empty"))
    }
}
