//! A revision: a released week, counted again with newer tables, or without homes that the operator took
//! out, as far as it may be told.
//!
//! Takes the first release of a week and what the week's journal gives now; gives the second and
//! last release, or nothing. Two releases of the same homes can be subtracted from one another, so a
//! revision holds to more than the gate:
//!
//! - A cell shows what was counted now only if at least k homes certainly changed it, whatever the
//!   rounding of both releases hides. Else it stays as it was.
//! - Each count in such a cell is one that the first release told of that vendor in that table, or
//!   certainly k homes away from all of those: one that is closer is told as the one it is close to,
//!   of a cell that changed before any other, and the interval covers both. So homes that merely
//!   moved from one country to another show the count they had, and nobody can see whether one of
//!   them withdrew in between. `networks` and `radius` are the least that the gate guarantees.
//! - By home country nothing is counted again: where the world's cell changed, the parts go. Nor does a
//!   world's cell change where old parts of an anycast place could be subtracted from it.
//! - Operators of networks are named by the first release or never: where the cell of their country
//!   changed, they go.
//! - Endpoints are names; where their servers stand changes nothing about them.

use super::{
    AtlasSource, Cell, Column, HomeTable, Matrix, NetworkOperator, Numbers, PlaceStatus, Release,
};
use crate::map::classes;
use crate::release::BasisPoints;
use crate::stats::bounds::{self, CountRange, Rounding};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The highest revision there is.
pub const REVISION_MAX: u8 = 1;

/// What a revision says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Which tables are other ones now.
    pub reasons: Vec<Reason>,
    /// Whether the operator took homes out since. How many is nobody's business.
    pub is_after_revocation: bool,
    /// The changed cells as they were.
    pub before: Before,
}

/// One table of the atlas that is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its name.
    pub source: String,
    /// The build the first release was made with; `None` if it was made without.
    pub from: Option<String>,
    /// The build the revision is made with; `None` if it is made without.
    pub to: Option<String>,
}

/// Changed cells as the first release had them, table by table. Of a country that had no column, as
/// it would have said: a zero where the vendor's homes were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Of the table by country of the server.
    pub server: Matrix,
    /// ... of the network's operator.
    pub network: Matrix,
    /// ... of the domain's owner.
    pub owner: Matrix,
    /// ... of the server and of the home.
    pub home: HomeTable,
}

/// The revision, or `None` if there is nothing to tell: the tables are the same and the operator took
/// nobody out, or no cell changed by enough homes.
#[must_use]
pub fn revise(first: &Release, now: &Release, is_after_revocation: bool) -> Option<Release> {
    let reasons = reasons(&first.atlas, &now.atlas);
    let rule = Rule {
        k: first.k,
        rounding: Rounding::to(first.rounding),
        step: first.rounding,
        networks: bounds::at_least(first.k.div_ceil(first.network_homes_max.max(1))),
    };
    let mut before = Before::default();
    let mut revised = Release {
        id: super::ReleaseId {
            revision: REVISION_MAX,
            ..first.id
        },
        atlas: now.atlas.clone(),
        registrants: now.registrants.clone(),
        server: rule.matrix(&first.server, &tellable(first, now), &mut before.server),
        network: rule.matrix(&first.network, &now.network, &mut before.network),
        owner: rule.matrix(&first.owner, &now.owner, &mut before.owner),
        ..first.clone()
    };
    let changed = |vendor, column| before.server.contains_key(&(vendor, column));
    for (&(vendor, column, home), cell) in &mut revised.home {
        // Where homes see a server that the world sees everywhere, both cells stand behind the part.
        let is_behind = changed(vendor, column) || changed(vendor, Column::Anycast);
        if cell.numbers().is_some() && is_behind {
            before.home.insert((vendor, column, home), *cell);
            *cell = Cell::Suppressed;
        }
    }
    let operator_stays = |(vendor, operator): &(Vendor, NetworkOperator)| {
        let key = (*vendor, Column::Country(operator.country));
        !before.network.contains_key(&key)
    };
    revised.operators.retain(operator_stays);
    let has_reason = is_after_revocation || !reasons.is_empty();
    if !has_reason || before == Before::default() {
        return None;
    }
    revised.revision = Some(Revision {
        reasons,
        is_after_revocation,
        before,
    });
    Some(revised)
}

/// The server table as it is counted now, with the old cells where a new one would be a whole to parts that
/// were told. What was anycast to the world and stood in a country for some homes may stand there for all
/// of them now, and then the world's table draws its lines where the parts had theirs.
fn tellable(first: &Release, now: &Release) -> Matrix {
    let is_anycast = |vendor| {
        let cell = first.server.get(&(vendor, Column::Anycast));
        let numbers = cell.and_then(Cell::numbers);
        numbers.is_some_and(|numbers| numbers.x_high > 0)
    };
    // A place that an anycast server has for some homes only is never more than possible.
    let is_possible = |cell: &Cell| {
        let numbers = cell.numbers();
        numbers.is_some_and(|of| of.x_high > 0 && of.place_status == PlaceStatus::Disputed)
    };
    let parts: BTreeSet<(Vendor, Option<Country>)> = first
        .home
        .iter()
        .filter(|((_, column, _), cell)| *column != Column::Anycast && is_possible(cell))
        .map(|((vendor, _, home), _)| (*vendor, *home))
        .filter(|(vendor, _)| is_anycast(*vendor))
        .collect();
    // Parts that may be told of a cell now leave nothing small of it.
    let is_told = |vendor, column, home| {
        let part = now.home.get(&(vendor, column, home));
        part.is_some_and(|cell| cell.numbers().is_some())
    };
    let mut server = Matrix::new();
    for (&(vendor, column), &cell) in &now.server {
        let of_vendor = parts.range((vendor, None)..);
        let mut of_vendor = of_vendor.take_while(|(of, _)| *of == vendor);
        let cell = if of_vendor.all(|&(_, home)| is_told(vendor, column, home)) {
            Some(cell)
        } else {
            first.server.get(&(vendor, column)).copied()
        };
        server.extend(cell.map(|cell| ((vendor, column), cell)));
    }
    server
}

/// Which tables differ, in the order of their names.
fn reasons(first: &[AtlasSource], now: &[AtlasSource]) -> Vec<Reason> {
    let builds = |sources: &[AtlasSource]| -> BTreeMap<String, String> {
        let pairs = sources
            .iter()
            .map(|source| (source.name.clone(), source.build.clone()));
        pairs.collect()
    };
    let (first, now) = (builds(first), builds(now));
    let names: BTreeSet<&String> = first.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| first.get(*name) != now.get(*name))
        .map(|name| Reason {
            source: name.clone(),
            from: first.get(name).cloned(),
            to: now.get(name).cloned(),
        })
        .collect()
}

/// The rule, with the numbers of the first release's gate.
struct Rule {
    k: u32,
    rounding: Rounding,
    step: u32,
    /// Networks that stand behind whatever passes the gate, at least.
    networks: u32,
}

/// One vendor's cells of one table.
struct Row {
    /// Every count told of it.
    told: BTreeSet<u32>,
    /// Those of homes in cells that change.
    moved: BTreeSet<u32>,
    /// The homes asked.
    asked: BTreeSet<u32>,
    /// What it says of a country without a column.
    elsewhere: Cell,
}

impl Rule {
    /// One table; what changed in it goes to `before`.
    fn matrix(&self, first: &Matrix, now: &Matrix, before: &mut Matrix) -> Matrix {
        let mut revised = Matrix::new();
        let columns: BTreeSet<Column> = first.keys().chain(now.keys()).map(|key| key.1).collect();
        let pair = |[row, row_now]: [&Row; 2], key: &(Vendor, Column)| {
            let old = first.get(key).copied().unwrap_or(row.elsewhere);
            let new = now.get(key).copied().unwrap_or(row_now.elsewhere);
            (old, new)
        };
        let rows: BTreeMap<Vendor, [Row; 2]> = Vendor::all()
            .map(|vendor| {
                let [mut row, row_now] = [self.row(first, vendor), self.row(now, vendor)];
                let keys = columns.iter().map(|&column| (vendor, column));
                let moved = keys
                    .map(|key| pair([&row, &row_now], &key))
                    .filter(|(old, new)| self.homes_changed_min(old, new) >= self.k)
                    .filter_map(|(old, _)| old.numbers().copied())
                    .flat_map(|numbers| [numbers.x_low, numbers.x_high]);
                row.moved = moved.filter(|&count| count > 0).collect();
                (vendor, [row, row_now])
            })
            .collect();
        for column in columns {
            let is_new = first.keys().all(|key| key.1 != column);
            let mut changes = Matrix::new();
            let mut cells = Matrix::new();
            for (&vendor, [row, row_now]) in &rows {
                let key = (vendor, column);
                let (old, new) = pair([row, row_now], &key);
                match self.cell(row, old, new) {
                    Some(cell) => {
                        cells.insert(key, cell);
                        changes.insert(key, old);
                    }
                    // Of a country that is new, whoever may not change says nothing.
                    None if is_new && old.numbers().is_some() => {
                        cells.insert(key, Cell::Suppressed);
                    }
                    None => drop(cells.insert(key, old)),
                }
            }
            if !is_new || !changes.is_empty() {
                revised.extend(cells);
                before.extend(changes);
            }
        }
        revised
    }

    fn row(&self, table: &Matrix, vendor: Vendor) -> Row {
        let cells = || {
            let cells = table.iter().filter(move |((of, _), _)| *of == vendor);
            cells.map(|(key, cell)| (key.1, cell))
        };
        let numbers = || cells().filter_map(|(_, cell)| cell.numbers());
        let told = numbers().flat_map(|of| [of.x_low, of.x_high, of.n]);
        let in_countries = cells().filter(|(column, _)| matches!(column, Column::Country(_)));
        let worst = in_countries
            .filter_map(|(_, cell)| cell.numbers())
            .map(|numbers| numbers.place_status)
            .max();
        let of_state = |state: Cell| cells().any(|(_, cell)| *cell == state).then_some(state);
        let zero = numbers().next().map(|numbers| {
            let worst = worst.unwrap_or(PlaceStatus::Confident);
            Cell::Zero(self.numbers(0, 0, numbers.n, worst, &BTreeSet::new()))
        });
        let elsewhere = of_state(Cell::NotApplicable).or_else(|| of_state(Cell::NoData));
        Row {
            told: told.filter(|&count| count > 0).collect(),
            moved: BTreeSet::new(),
            asked: numbers().map(|numbers| numbers.n).collect(),
            elsewhere: elsewhere.or(zero).unwrap_or(Cell::Suppressed),
        }
    }

    /// What a cell shows instead of `old`, if it may.
    fn cell(&self, row: &Row, old: Cell, new: Cell) -> Option<Cell> {
        if old == new || self.homes_changed_min(&old, &new) < self.k {
            return None;
        }
        let Some(numbers) = new.numbers() else {
            return Some(new);
        };
        let n = self.told_as([&row.asked, &row.told], numbers.n);
        let x_high = self.told_as([&row.moved, &row.told], numbers.x_high);
        let x_low = self.told_as([&row.moved, &row.told], numbers.x_low);
        // Only where a tenth of the homes asked is gone as well; then the old cell is the safe one.
        if x_high > n || x_low > x_high {
            return None;
        }
        let status = numbers.place_status;
        let told = self.numbers(x_low, x_high, n, status, &row.told);
        let is_doubtful = matches!(status, PlaceStatus::Single | PlaceStatus::Disputed);
        let cell = if x_high == 0 {
            Cell::Zero(told)
        } else if is_doubtful || classes::spans_classes(told.share_low, told.share_high) {
            Cell::Imprecise(told)
        } else {
            Cell::Value(told)
        };
        (cell != old).then_some(cell)
    }

    /// So many homes at least did something else: no rounding and no cap on a network's weight can
    /// make up the difference.
    fn homes_changed_min(&self, old: &Cell, new: &Cell) -> u32 {
        match (old.numbers(), new.numbers()) {
            (Some(old), Some(new)) => {
                let n = apart(self.rounding.preimage(old.n), self.rounding.preimage(new.n));
                let high = apart(self.high(old), self.high(new));
                n.max(high).max(self.low_changed_min(old, new))
            }
            (Some(shown), None) | (None, Some(shown)) => {
                let hidden = if old.numbers().is_some() { new } else { old };
                match hidden {
                    // Fewer than k homes' weight, where there was or is more; one home weighs one at
                    // most. With none at all, the homes asked are known as well.
                    Cell::Suppressed if shown.x_high > 0 => shown.radius,
                    Cell::NoData => self.rounding.preimage(shown.n).min,
                    _ => 0,
                }
            }
            (None, None) => 0,
        }
    }

    /// The same of the homes whose place is certain. A `x_low` of 0 beside a `x_high` may stand for any
    /// number of homes that weigh less than k together.
    fn low_changed_min(&self, old: &Numbers, new: &Numbers) -> u32 {
        match (self.low(old), self.low(new)) {
            (Some(old), Some(new)) => apart(old, new),
            (Some(_), None) => self.low_weight_min(old).saturating_sub(self.k - 1),
            (None, Some(_)) => self.low_weight_min(new).saturating_sub(self.k - 1),
            (None, None) => 0,
        }
    }

    /// What the certain homes weigh at least: what all of them weigh, less one for each that is not
    /// certain.
    fn low_weight_min(&self, numbers: &Numbers) -> u32 {
        let weight = numbers.radius + self.k - 1;
        let uncertain = self.high(numbers).max - self.rounding.preimage(numbers.x_low).min;
        if numbers.x_low == 0 {
            0
        } else {
            weight.saturating_sub(uncertain)
        }
    }

    fn high(&self, numbers: &Numbers) -> CountRange {
        match numbers.x_high {
            0 => CountRange::exactly(0),
            count => self.rounding.preimage(count),
        }
    }

    fn low(&self, numbers: &Numbers) -> Option<CountRange> {
        match (numbers.x_low, numbers.x_high) {
            (0, 0) => Some(CountRange::exactly(0)),
            (0, _) => None,
            (count, _) => Some(self.rounding.preimage(count)),
        }
    }

    /// The count that was told already and is so close that fewer than k homes may lie between: from
    /// the first list that has one, the closest, the larger of two. Else the count itself; none stays
    /// none.
    fn told_as(&self, told: [&BTreeSet<u32>; 2], count: u32) -> u32 {
        let range = |count| self.rounding.preimage(count);
        let closest = |told: &BTreeSet<u32>| {
            let close = told.iter().copied();
            let close = close.filter(|&other| apart(range(other), range(count)) < self.k);
            close.min_by_key(|&other| (other.abs_diff(count), Reverse(other)))
        };
        let close = told.into_iter().find_map(closest);
        close.filter(|_| count > 0).unwrap_or(count)
    }

    /// The numbers of a cell with these counts; `told` are those that stand for others close by.
    fn numbers(
        &self,
        x_low: u32,
        x_high: u32,
        n: u32,
        place_status: PlaceStatus,
        told: &BTreeSet<u32>,
    ) -> Numbers {
        // The largest step between two counts of which fewer than k homes may make the difference.
        let reach = (self.k + self.step - 2) / self.step * self.step;
        let range = |count: u32| {
            let range = self.rounding.preimage(count);
            match count {
                0 => CountRange::exactly(0),
                count if told.contains(&count) => CountRange {
                    min: range.min.saturating_sub(reach),
                    max: range.max + reach,
                },
                _ => range,
            }
        };
        let (share_low, share_high) = bounds::interval(range(x_low), range(x_high), range(n));
        Numbers {
            share: BasisPoints::midway(x_low, x_high, n),
            share_low,
            share_high,
            x_low,
            x_high,
            n,
            networks: self.networks,
            radius: 1,
            place_status,
        }
    }
}

/// How far apart two counts are at least.
fn apart(a: CountRange, b: CountRange) -> u32 {
    a.min.saturating_sub(b.max).max(b.min.saturating_sub(a.max))
}

#[cfg(test)]
mod tests;
