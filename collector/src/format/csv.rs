//! A table as CSV: RFC 4180 with line feeds, UTF-8, one header line.
//!
//! Empty fields are empty, never 0 or -1. A share is printed between 0 and 1 with four decimals.

use super::table::{CELL_COLUMNS, Field, Table};
use crate::release::BasisPoints;

/// The whole table, with its header.
#[must_use]
pub fn write(table: &Table) -> String {
    let mut out = table.columns.join(",");
    out.push('\n');
    for row in &table.rows {
        for (index, field) in row.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push(&mut out, &of_field(field));
        }
        out.push('\n');
    }
    out
}

/// A table that [`write()`] wrote, its fields typed again by their columns; `None` for anything else.
#[must_use]
pub fn read(text: &str) -> Option<Table> {
    let mut lines = text.lines();
    let names = split(lines.next()?)?;
    let columns = names
        .iter()
        .map(|name| known_column(name))
        .collect::<Option<Vec<_>>>()?;
    let rows = lines
        .map(|line| {
            let fields = split(line)?;
            let typed = columns
                .iter()
                .zip(&fields)
                .map(|(column, text)| field_of(column, text));
            (fields.len() == columns.len()).then(|| typed.collect::<Option<Vec<_>>>())?
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Table { columns, rows })
}

/// The columns of the contract, and nothing else.
pub(super) fn known_column(name: &str) -> Option<&'static str> {
    let between = [
        "week",
        "vendor",
        "endpoint",
        "operator",
        "country",
        "home_country",
    ];
    between
        .into_iter()
        .chain(CELL_COLUMNS)
        .find(|known| *known == name)
}

pub(crate) fn field_of(column: &str, text: &str) -> Option<Field> {
    Some(match column {
        _ if text.is_empty() => Field::Empty,
        "share" | "share_low" | "share_high" => {
            let (whole, parts) = text.split_once('.')?;
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !matches!(whole, "0" | "1") || parts.len() != 4 || !digits(parts) {
                return None;
            }
            let points = whole.parse::<u16>().ok()? * 10_000 + parts.parse::<u16>().ok()?;
            Field::Share(BasisPoints(points))
        }
        "x_low" | "x_high" | "n" | "networks" | "radius" => Field::Count(text.parse().ok()?),
        _ => Field::Text(text.to_owned()),
    })
}

/// The fields of one line; a field of ours never holds a line break.
fn split(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_field(quoted)?
        } else {
            let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            (field.to_owned(), after)
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(fields),
        }
    }
}

/// A field after its opening quote, and what follows the closing one.
fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Some((field, after)),
        }
    }
}

/// A field as text, unquoted.
#[must_use]
pub fn of_field(field: &Field) -> String {
    match field {
        Field::Text(text) => text.clone(),
        Field::Count(count) => count.to_string(),
        Field::Share(share) => share.to_string(),
        Field::Empty => String::new(),
    }
}

fn push(out: &mut String, text: &str) {
    if text.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use crate::format::table::TableName;

    #[test]
    fn rows_read_as_the_contract_says() {
        let csv = write(&Table::of(&fixture::release(), TableName::Server));
        let line = |start: &str| {
            csv.lines()
                .find(|line| line.starts_with(start))
                .expect("a row")
        };
        assert_eq!(
            line("2026-W46,xiaomi,SG"),
            "2026-W46,xiaomi,SG,imprecise,0.6250,0.4750,0.7750,25,25,40,5,3,single"
        );
        assert_eq!(
            line("2026-W46,xiaomi,HK"),
            "2026-W46,xiaomi,HK,suppressed,,,,,,,,,"
        );
        assert_eq!(
            line("2026-W46,google,anycast").split(',').nth(3),
            Some("imprecise")
        );
    }

    #[test]
    fn awkward_text_is_quoted() {
        let table = Table {
            columns: vec!["a", "b"],
            rows: vec![vec![Field::Text("x,\"y\"".to_owned()), Field::Empty]],
        };
        assert_eq!(write(&table), "a,b\n\"x,\"\"y\"\"\",\n");
    }

    #[test]
    fn what_was_written_reads_back() {
        let release = fixture::release();
        for name in TableName::ALL {
            let table = Table::of(&release, name);
            assert_eq!(read(&write(&table)), Some(table));
        }
        let operators = Table::of_operators(&release);
        assert!(!operators.rows.is_empty());
        assert_eq!(read(&write(&operators)), Some(operators));
        let quoted = Field::Text("a,\"b\",".to_owned());
        let table = Table {
            columns: vec!["vendor", "n"],
            rows: vec![vec![quoted, Field::Count(5)]],
        };
        assert_eq!(read(&write(&table)), Some(table));
    }

    #[test]
    fn what_is_no_table_of_ours_is_refused() {
        for text in [
            "",
            "vendor,pet\n",
            "n\nmany\n",
            "n\n1,2\n",
            "share\n0.5\n",
            "vendor\n\"x\n",
            "n\n\"1\"2\n",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
