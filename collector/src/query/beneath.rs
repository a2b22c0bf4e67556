//! What stands beneath a table at a terminal, a line each: in which countries the homes behind it are,
//! without which no world figure goes; and beside networks, the operators that are named.
//!
//! Pure, and made of tables alone: a collector far away and releases at hand give the same lines.

use super::field;
use crate::format::csv;
use crate::format::table::{Field, Table};
use phonehome_proto::vendor::Vendor;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The homes of every vendor that has a number in `world`, by their country as far as the table by home
/// country tells it: `homes by country: Xiaomi about 40 (30 DE, rest not told)`.
pub(super) fn homes(world: &Table, by_home: &Table) -> String {
    let mut of: BTreeMap<(u32, String), u32> = BTreeMap::new();
    for row in &world.rows {
        keep_most(&mut of, key(world, row), count(world, row));
    }
    let mut parts: BTreeMap<(u32, String), BTreeMap<String, u32>> = BTreeMap::new();
    for row in &by_home.rows {
        let home = csv::of_field(field(by_home, row, "home_country"));
        let of_vendor = parts.entry(key(by_home, row)).or_default();
        keep_most(of_vendor, home, count(by_home, row));
    }
    if of.is_empty() {
        return "homes by country: too few to be told".to_owned();
    }
    let told = of.into_iter().map(|(vendor, homes)| {
        let parts = parts.remove(&vendor).unwrap_or_default();
        let (_, id) = vendor;
        format!("{} about {homes} ({})", name(id), composition(homes, parts))
    });
    format!("homes by country: {}", told.collect::<Vec<_>>().join("; "))
}

/// The operators of networks that are named beside each vendor: `Xiaomi: Alibaba Cloud (CN)`.
pub(super) fn operators(operators: &Table) -> String {
    let mut of: BTreeMap<(u32, String), Vec<String>> = BTreeMap::new();
    for row in &operators.rows {
        let text = |column| csv::of_field(field(operators, row, column));
        let named = format!("{} ({})", text("operator"), text("country"));
        of.entry(key(operators, row)).or_default().push(named);
    }
    if of.is_empty() {
        return "operators named: none".to_owned();
    }
    let named = of
        .into_iter()
        .map(|((_, id), names)| format!("{}: {}", name(id), names.join(", ")));
    format!("operators named: {}", named.collect::<Vec<_>>().join("; "))
}

/// The largest part first, what is together or not told last.
fn composition(homes: u32, parts: BTreeMap<String, u32>) -> String {
    let is_all = parts.values().sum::<u32>() >= homes;
    let mut parts: Vec<(String, u32)> = parts.into_iter().collect();
    parts.sort_by_key(|(country, homes)| (country == OTHER, Reverse(*homes), country.clone()));
    let elsewhere = match parts.len() {
        1 => "in countries not told apart",
        _ => "in other countries",
    };
    let mut told: Vec<String> = parts
        .iter()
        .map(|(country, homes)| match country.as_str() {
            OTHER => format!("{homes} {elsewhere}"),
            code => format!("{homes} {code}"),
        })
        .collect();
    if !is_all {
        let rest = if told.is_empty() { "" } else { "rest " };
        told.push(format!("{rest}not told"));
    }
    told.join(", ")
}

/// What the table by home country calls the countries that are not told apart.
const OTHER: &str = "other";

/// A vendor's place in the list, one of a later list than this program's last; and its id.
fn key(table: &Table, row: &[Field]) -> (u32, String) {
    let id = csv::of_field(field(table, row, "vendor"));
    let order = Vendor::from_id(&id).map_or(u32::MAX, Vendor::number);
    (order, id)
}

fn name(id: String) -> String {
    Vendor::from_id(&id).map_or(id, |vendor| vendor.name().to_owned())
}

/// The homes asked; none where the row has no numbers.
fn count(table: &Table, row: &[Field]) -> Option<u32> {
    match field(table, row, "n") {
        Field::Count(n) => Some(*n),
        _ => None,
    }
}

/// Whoever is asked is asked about every country: the number is the same in each row that has one.
fn keep_most<K: Ord>(of: &mut BTreeMap<K, u32>, key: K, homes: Option<u32>) {
    if let Some(homes) = homes {
        let most = of.entry(key).or_default();
        *most = homes.max(*most);
    }
}
