//! An attacker reads everything that was published of a release and tries to work out what was suppressed.
//!
//! Knows nothing but the CSV files and the rules: what rounding hides, that homes add up, that who contacted
//! an endpoint contacted its server, its network and its owner. Bounds on every count are narrowed by all
//! of it until nothing narrows further. Whoever is told more than the files (which homes roam) is told that
//! too. Names nothing of the collector, so that it can attack what lies on a disk.

use std::collections::{BTreeMap, BTreeSet};

/// Counts are rounded to multiples of five.
pub(super) const ROUNDING: i64 = 5;
/// What passes the gate is of ten homes and more.
pub(super) const GATE: i64 = 10;
/// More homes than any release here has.
const HOMES_MAX: i64 = 1_000_000;

/// What a reader knows of one count: at least, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: i64,
    pub(super) most: i64,
}

/// What an endpoint is to a vendor, from the public list.
pub(super) struct Listed {
    /// Whether it is one of the vendor's own.
    pub(super) is_own: bool,
    /// The code of its owner's country.
    pub(super) owner: String,
}

/// The files of a release, by name, and what is public beside them.
pub(super) struct Published<'a> {
    /// CSV files: `matrix-server.csv` and so on.
    pub(super) tables: BTreeMap<String, String>,
    /// What the public list says of a vendor and an endpoint.
    pub(super) listed: &'a dyn Fn(&str, &str) -> Listed,
    /// Whether the attacker is told that every home counts in some home country, so that parts add up to
    /// the whole exactly, and that each has a network of its own, so that what does not pass is below ten.
    pub(super) is_told_more: bool,
}

/// A count: table, vendor and what follows; `n` for the homes asked, `any` for homes with any own contact.
pub(super) type Name = Vec<String>;

/// What the attacker found out about what was suppressed.
pub(super) struct Found {
    /// Every suppressed count, with what is known of it.
    pub(super) suppressed: BTreeMap<Name, Bounds>,
    /// Every count that bounds were worked out for.
    pub(super) all: BTreeMap<Name, Bounds>,
}

/// Works on what was published.
///
/// # Panics
/// If it contradicts itself: then a rule here is not one.
pub(super) fn attack(published: &Published<'_>) -> Found {
    let mut system = System::default();
    for by in ["server", "network", "owner"] {
        system.read_matrix(published, by);
    }
    system.read_endpoints(published);
    system.read_homes(published);
    system.narrow();
    let suppressed = system.suppressed.iter().map(|&at| {
        let name = system.names.iter().find(|(_, of)| **of == at);
        (
            name.expect("every count has a name").0.clone(),
            system.bounds[at],
        )
    });
    Found {
        suppressed: suppressed.collect(),
        all: system
            .names
            .iter()
            .map(|(name, &at)| (name.clone(), system.bounds[at]))
            .collect(),
    }
}

/// Counts with bounds, and what holds between them.
#[derive(Default)]
struct System {
    names: BTreeMap<Name, usize>,
    bounds: Vec<Bounds>,
    suppressed: Vec<usize>,
    /// A sum of counts is at most another.
    at_most: Vec<(Vec<usize>, Vec<usize>)>,
}

impl System {
    fn count(&mut self, name: &[&str]) -> usize {
        let name: Name = name.iter().map(|&part| part.to_owned()).collect();
        let next = self.bounds.len();
        let at = *self.names.entry(name).or_insert(next);
        if at == next {
            self.bounds.push(Bounds {
                least: 0,
                most: HOMES_MAX,
            });
        }
        at
    }

    /// Reads a cell: its own count, and the homes asked.
    fn cell(&mut self, name: &[&str], asked: &[&str], row: &BTreeMap<&str, &str>) -> usize {
        let (at, asked) = (self.count(name), self.count(asked));
        self.at_most.push((vec![at], vec![asked]));
        let number = |column| row[column].parse::<i64>().ok();
        match row["state"] {
            "value" | "imprecise" => {
                self.within(at, around(number("x_high").expect("a number")));
                // Each network has a home, and so many homes as the radius has beyond the gate weigh one at most.
                let networks = number("networks").expect("a number");
                let weight = number("radius").expect("a number") + GATE - 1;
                let least = networks.max(weight);
                self.bounds[at].least = self.bounds[at].least.max(least);
                self.within(asked, around(number("n").expect("a number")));
            }
            "zero" => {
                self.within(at, Bounds { least: 0, most: 0 });
                self.within(asked, around(number("n").expect("a number")));
            }
            "no_data" | "not_applicable" => self.within(at, Bounds { least: 0, most: 0 }),
            _ => self.suppressed.push(at),
        }
        at
    }

    /// In tables of the world only what does not pass is suppressed.
    fn somebody(&mut self, published: &Published<'_>, at: usize, state: &str, shows_from: i64) {
        if published.is_told_more && state == "suppressed" {
            let most = shows_from - 1;
            self.within(at, Bounds { least: 0, most });
        }
    }

    fn within(&mut self, at: usize, bounds: Bounds) {
        let now = &mut self.bounds[at];
        now.least = now.least.max(bounds.least);
        now.most = now.most.min(bounds.most);
        assert!(now.least <= now.most, "a contradiction: {now:?}");
    }

    fn read_matrix(&mut self, published: &Published<'_>, by: &str) {
        let mut columns: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in rows(&published.tables[&format!("matrix-{by}.csv")]) {
            let (vendor, country) = (row["vendor"], row["country"]);
            let at = self.cell(&[by, vendor, country], &["n", vendor], &row);
            self.somebody(published, at, row["state"], GATE);
            columns.entry(vendor.to_owned()).or_default().push(at);
        }
        for (vendor, columns) in columns {
            self.union(&["any", &vendor], columns);
        }
    }

    /// Who is in any of these is in the whole, and the whole is no more than all of them together.
    fn union(&mut self, whole: &[&str], parts: Vec<usize>) {
        let whole = self.count(whole);
        for &part in &parts {
            self.at_most.push((vec![part], vec![whole]));
        }
        self.at_most.push((vec![whole], parts));
    }

    fn read_endpoints(&mut self, published: &Published<'_>) {
        let mut own: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut owned: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        let rows = rows(&published.tables["endpoints.csv"]);
        // Where one is told of so few, nothing above the gate is held back beside it.
        let open: BTreeSet<(&str, String)> = rows
            .iter()
            .filter(|row| row["x_high"] == "10")
            .map(|row| {
                (
                    row["vendor"],
                    (published.listed)(row["vendor"], row["endpoint"]),
                )
            })
            .filter(|(_, listed)| listed.is_own)
            .map(|(vendor, listed)| (vendor, listed.owner))
            .collect();
        for row in rows {
            let (vendor, endpoint) = (row["vendor"], row["endpoint"]);
            let at = self.cell(&["endpoint", vendor, endpoint], &["n", vendor], &row);
            let listed = (published.listed)(vendor, endpoint);
            // A vendor's own endpoints may be held back up to a rounding step above the gate.
            let is_open = !listed.is_own || open.contains(&(vendor, listed.owner.clone()));
            let shows_from = GATE + if is_open { 0 } else { ROUNDING };
            self.somebody(published, at, row["state"], shows_from);
            if listed.is_own {
                own.entry(vendor.to_owned()).or_default().push(at);
                owned
                    .entry((vendor.to_owned(), listed.owner))
                    .or_default()
                    .push(at);
            }
        }
        for (vendor, endpoints) in own {
            self.union(&["any", &vendor], endpoints);
        }
        for ((vendor, owner), endpoints) in owned {
            self.union(&["owner", &vendor, &owner], endpoints);
        }
    }

    fn read_homes(&mut self, published: &Published<'_>) {
        let mut parts: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
        for row in rows(&published.tables["matrix-home.csv"]) {
            let (vendor, country, home) = (row["vendor"], row["country"], row["home_country"]);
            let asked = ["n", vendor, home];
            let at = self.cell(&["home", vendor, country, home], &asked, &row);
            let asked = self.count(&asked);
            let asked_whole = vec!["n".to_owned(), vendor.to_owned()];
            let asked_parts = parts.entry(asked_whole).or_default();
            if !asked_parts.contains(&asked) {
                asked_parts.push(asked);
            }
            let whole = ["server", vendor, country].map(str::to_owned);
            parts.entry(whole.into()).or_default().push(at);
        }
        for (whole, parts) in parts {
            // What answers from many places adds up otherwise, and has its own proof.
            if self.has_anycast(&whole[1]) {
                continue;
            }
            let Some(&whole) = self.names.get(&whole) else {
                continue;
            };
            self.at_most.push((parts.clone(), vec![whole]));
            if published.is_told_more {
                self.at_most.push((vec![whole], parts));
            }
        }
    }

    fn has_anycast(&self, vendor: &str) -> bool {
        let name: Name = ["server", vendor, "anycast"].map(str::to_owned).into();
        self.names
            .get(&name)
            .is_some_and(|&at| self.bounds[at].most > 0)
    }

    /// Narrows every bound by every rule until none does.
    fn narrow(&mut self) {
        loop {
            let before = self.bounds.clone();
            for rule in 0..self.at_most.len() {
                let (small, large) = self.at_most[rule].clone();
                let least: i64 = small.iter().map(|&at| self.bounds[at].least).sum();
                let most: i64 = large.iter().map(|&at| self.bounds[at].most).sum();
                for at in small {
                    let most = most - (least - self.bounds[at].least);
                    self.within(at, Bounds { least: 0, most });
                }
                for at in large {
                    let least = least - (most - self.bounds[at].most);
                    self.within(
                        at,
                        Bounds {
                            least,
                            most: HOMES_MAX,
                        },
                    );
                }
            }
            if self.bounds == before {
                break;
            }
        }
    }
}

/// Every count that rounds to this one.
fn around(told: i64) -> Bounds {
    Bounds {
        least: (told - ROUNDING / 2).max(0),
        most: told + ROUNDING / 2,
    }
}

/// The rows of a CSV file whose fields hold no commas.
fn rows(text: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().expect("a heading").split(',').collect();
    lines
        .map(|line| columns.iter().copied().zip(line.split(',')).collect())
        .collect()
}
