//! Shipments: how many of all phones each maker shipped in one quarter, from a dated file.

use phonehome_proto::vendor::Vendor;
use serde::Deserialize;
use std::sync::LazyLock;

const SHIPMENTS: &str = include_str!("../../../data/shipments.toml");

/// The makers' parts of all phones shipped in one period.
#[derive(Clone, Debug, PartialEq)]
pub struct Shipments {
    period: String,
    source: String,
    date: String,
    doubt: f64,
    shares: Vec<(Vendor, f64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    period: String,
    source: String,
    date: String,
    doubt_points: f64,
    shipment: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    vendor: String,
    percent: f64,
}

impl Shipments {
    /// The table that is compiled in; read at the first call.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Shipments> = LazyLock::new(|| {
            let file: File = toml::from_str(SHIPMENTS).expect("the committed table is well formed");
            let share = |row: Row| {
                let vendor =
                    Vendor::from_id(&row.vendor).expect("the committed table names vendors");
                (vendor, row.percent / 100.0)
            };
            Shipments {
                period: file.period,
                source: file.source,
                date: file.date,
                doubt: file.doubt_points / 100.0,
                shares: file.shipment.into_iter().map(share).collect(),
            }
        });
        &EMBEDDED
    }

    /// Of when it speaks, `2020-Q1`.
    #[must_use]
    pub fn period(&self) -> &str {
        &self.period
    }

    /// Who counted.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// When it was written down.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The makers named in it, each with its part of all shipments (0 to 1).
    pub(super) fn shares(&self) -> impl Iterator<Item = (Vendor, f64)> + '_ {
        self.shares.iter().copied()
    }

    /// The standard deviation of each part.
    pub(super) const fn doubt(&self) -> f64 {
        self.doubt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_vendor_list_says() {
        let shipments = Shipments::embedded();
        let listed: Vec<(Vendor, u16)> = Vendor::all()
            .filter_map(|vendor| Some((vendor, vendor.shipments_2020q1_permille()?)))
            .collect();
        let mut ours: Vec<(Vendor, f64)> = shipments.shares().collect();
        ours.sort_by_key(|(vendor, _)| *vendor);
        assert_eq!(ours.len(), listed.len());
        for ((vendor, share), (listed, permille)) in ours.into_iter().zip(listed) {
            assert_eq!(vendor, listed);
            assert!(
                (share * 1_000.0 - f64::from(permille)).abs() < 1e-9,
                "{vendor:?}"
            );
        }
        assert_eq!(shipments.period(), "2020-Q1");
        assert!(shipments.source().starts_with("IDC") && shipments.date().starts_with("20"));
        assert!(shipments.shares().map(|(_, share)| share).sum::<f64>() < 1.0);
    }
}
