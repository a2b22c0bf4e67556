//! Plain means over weeks: what a longer period may be said to be, and no more.
//!
//! Pure. Takes the rows of several weeks, gives for each cell the mean of the weekly shares, each week once and
//! of equal weight, over the weeks that show a number; and of how many weeks it is one. No homes are added, since the
//! same homes report every week.

use crate::format::table::{Field, Table};
use phonehome_proto::v1;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;

/// What an answer says of its means.
pub(super) const WORDS: &str = "plain means of the weekly shares, each week of equal weight, over the weeks \
                                that show a number; never a count of homes, since the same homes report \
                                every week";

/// The mean of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mean {
    /// Vendor, country, and what divides the cell further.
    keys: Vec<(&'static str, String)>,
    /// Weeks in which it is a row.
    weeks: u32,
    /// Weeks in which it shows a number.
    weeks_with_numbers: u32,
    /// Of those weeks, in basis points.
    share_sum: u32,
}

/// The means of each cell, in the order in which rows first come.
pub(super) fn of(table: &Table) -> Vec<Mean> {
    let column = |name: &str| table.columns.iter().position(|known| *known == name);
    let (Some(state), Some(share)) = (column("state"), column("share")) else {
        return Vec::new();
    };
    let mut places: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut means: Vec<Mean> = Vec::new();
    for row in &table.rows {
        // Week, keys, state, numbers.
        let keys = (1..state).map(|at| match &row[at] {
            Field::Text(text) => text.clone(),
            Field::Count(_) | Field::Share(_) | Field::Empty => String::new(),
        });
        let keys: Vec<String> = keys.collect();
        let at = *places.entry(keys.clone()).or_insert_with(|| {
            let named = table.columns[1..state].iter().copied().zip(keys);
            means.push(Mean {
                keys: named.collect(),
                weeks: 0,
                weeks_with_numbers: 0,
                share_sum: 0,
            });
            means.len() - 1
        });
        let mean = &mut means[at];
        mean.weeks += 1;
        if let Field::Share(points) = row[share] {
            mean.weeks_with_numbers += 1;
            mean.share_sum += u32::from(points.0);
        }
    }
    means
}

impl Mean {
    /// The mean in basis points, rounded half up; `None` where no week shows a number.
    fn basis_points(&self) -> Option<u32> {
        let weeks = self.weeks_with_numbers;
        (weeks > 0).then(|| (self.share_sum + weeks / 2) / weeks)
    }
}

impl Mean {
    /// The same for gRPC.
    pub(super) fn to_wire(&self) -> v1::Mean {
        let key = |name| {
            let found = self.keys.iter().find(|(known, _)| *known == name);
            found.map(|(_, key)| key.clone()).unwrap_or_default()
        };
        v1::Mean {
            vendor: key("vendor"),
            country: key("country"),
            home_country: key("home_country"),
            endpoint: key("endpoint"),
            weeks: self.weeks,
            weeks_with_numbers: self.weeks_with_numbers,
            share_basis_points: self.basis_points(),
        }
    }
}

impl Serialize for Mean {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, key) in &self.keys {
            map.serialize_entry(name, key)?;
        }
        map.serialize_entry("weeks", &self.weeks)?;
        map.serialize_entry("weeks_with_numbers", &self.weeks_with_numbers)?;
        let mean = self
            .basis_points()
            .map(|points| f64::from(points) / 10_000.0);
        map.serialize_entry("mean_of_weekly_shares", &mean)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::BasisPoints;

    #[test]
    fn weeks_without_numbers_count_for_nothing() {
        let text = |text: &str| Field::Text(text.to_owned());
        let row = |week: &str, country: &str, share: Option<u16>| {
            let share = share.map_or(Field::Empty, |points| Field::Share(BasisPoints(points)));
            vec![
                text(week),
                text("xiaomi"),
                text(country),
                text("value"),
                share,
            ]
        };
        let table = Table {
            columns: vec!["week", "vendor", "country", "state", "share"],
            rows: vec![
                row("2026-W45", "SG", Some(1_000)),
                row("2026-W45", "RU", None),
                row("2026-W46", "SG", Some(2_001)),
                row("2026-W47", "SG", None),
            ],
        };
        let means: Vec<String> = of(&table)
            .iter()
            .map(|mean| serde_json::to_string(mean).expect("JSON"))
            .collect();
        assert_eq!(
            means,
            [
                "{\"vendor\":\"xiaomi\",\"country\":\"SG\",\"weeks\":3,\"weeks_with_numbers\":2,\"mean_of_weekly_shares\":0.1501}",
                "{\"vendor\":\"xiaomi\",\"country\":\"RU\",\"weeks\":1,\"weeks_with_numbers\":0,\"mean_of_weekly_shares\":null}",
            ]
        );
    }
}
