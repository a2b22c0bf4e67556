//! Aligned columns, for people.

use std::io::{self, Write};

/// Rows under a heading. Every row has as many cells as the heading.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with nothing under its heading.
    pub(super) fn new(heading: [&str; N]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned)],
        }
    }

    /// Adds a row. What could move a terminal's cursor is replaced.
    pub(super) fn row(&mut self, cells: [&str; N]) {
        let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        self.rows
            .push(cells.map(|cell| cell.chars().map(shown).collect()));
    }

    /// Writes it, each column as wide as its widest cell; nothing when there are no rows.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.len() == 1 {
            return Ok(());
        }
        let width = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
        };
        let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() -> anyhow::Result<()> {
        let mut table = Table::new(["a", "bb"]);
        let mut out = Vec::new();
        table.write(&mut out)?;
        assert!(out.is_empty());
        table.row(["größe", "x"]);
        table.row(["", "\u{1b}[2J"]);
        table.write(&mut out)?;
        assert_eq!(
            String::from_utf8(out)?,
            "a      bb\ngröße  x\n       \u{fffd}[2J\n"
        );
        Ok(())
    }
}
