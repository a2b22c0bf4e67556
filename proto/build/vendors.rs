//! `data/vendors.toml` -> the vendor table.

use crate::rows::{self, Text};
use serde::Deserialize;
use std::collections::HashSet;
use std::fmt::Write;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    not_phone_names: Vec<String>,
    vendor: Vec<Spanned<Vendor>>,
    system: Vec<Spanned<System>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vendor {
    pub(crate) number: u8,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) brands: Vec<String>,
    pub(crate) country: String,
    pub(crate) shipments_2020q1_percent: Option<f64>,
    pub(crate) domains: Vec<String>,
    pub(crate) prefix_owners: Vec<PrefixOwner>,
    pub(crate) host_names: Vec<String>,
    #[serde(default)]
    pub(crate) vendor_class: Vec<String>,
    #[serde(default)]
    pub(crate) core: Vec<String>,
    #[serde(default)]
    pub(crate) check: Vec<String>,
    #[serde(default)]
    pub(crate) weak: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrefixOwner {
    pub(crate) organisation: String,
    pub(crate) kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct System {
    pub(crate) id: String,
    pub(crate) vendor: Option<String>,
    pub(crate) phone: Option<bool>,
    pub(crate) wanted: Vec<String>,
}

pub(crate) struct Vendors {
    pub(crate) vendors: Vec<Vendor>,
    systems: Vec<System>,
    not_phone_names: Vec<String>,
}

/// The vendors in the order of their numbers, which run from 1 without a gap.
pub(crate) fn read(text: &str) -> Result<Vendors, String> {
    let file: File = toml::from_str(text).map_err(|e| format!("data/vendors.toml: {e}"))?;
    let at = Text {
        file: "data/vendors.toml",
        text,
    };
    if let Some(pattern) = file.not_phone_names.iter().find(|p| !is_pattern(p)) {
        return Err(format!("{}: '{pattern}' is not a pattern", at.file));
    }

    let mut seen = Seen::default();
    let mut vendors = Vec::new();
    for row in file.vendor {
        let vendor = row.get_ref();
        if usize::from(vendor.number) != vendors.len() + 1 {
            return Err(at.refuse(&row, "numbers run from 1 without a gap"));
        }
        if let Some(fault) = seen.fault(vendor) {
            return Err(at.refuse(&row, &fault));
        }
        vendors.push(row.into_inner());
    }

    let mut wanted = HashSet::new();
    let mut systems = Vec::new();
    for row in file.system {
        let system = row.get_ref();
        if system
            .vendor
            .as_ref()
            .is_some_and(|id| vendors.iter().all(|v| v.id != *id))
        {
            return Err(at.refuse(&row, "the vendor is not one of this file"));
        }
        for list in &system.wanted {
            if options(list).is_none() {
                return Err(at.refuse(&row, &format!("'{list}' is not a list of options")));
            }
            if !wanted.insert(list.clone()) {
                return Err(at.refuse(&row, &format!("'{list}' stands twice")));
            }
        }
        systems.push(row.into_inner());
    }
    Ok(Vendors {
        vendors,
        systems,
        not_phone_names: file.not_phone_names,
    })
}

/// What only one vendor may claim.
#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    domains: HashSet<String>,
    patterns: HashSet<String>,
}

impl Seen {
    /// What is wrong with a row, if anything.
    fn fault(&mut self, vendor: &Vendor) -> Option<String> {
        if !rows::is_id(&vendor.id) || !self.ids.insert(vendor.id.clone()) {
            return Some("this id stands twice, or is not one".to_owned());
        }
        if !rows::is_country(&vendor.country) {
            return Some("country is not two upper-case letters".to_owned());
        }
        if vendor
            .shipments_2020q1_percent
            .is_some_and(|p| !(0.0..=100.0).contains(&p))
        {
            return Some("a share lies between 0 and 100 percent".to_owned());
        }
        for domain in &vendor.domains {
            if let Some(fault) = rows::domain_fault(domain) {
                return Some(format!("'{domain}': {fault}"));
            }
            if !self.domains.insert(domain.clone()) {
                return Some(format!("'{domain}' has two owners"));
            }
        }
        for host in vendor.core.iter().chain(&vendor.check).chain(&vendor.weak) {
            if let Some(fault) = rows::host_fault(host) {
                return Some(format!("'{host}': {fault}"));
            }
            if !rows::lies_inside(host, &vendor.domains) {
                return Some(format!("'{host}' lies outside the vendor's domains"));
            }
        }
        for owner in &vendor.prefix_owners {
            if !matches!(owner.kind.as_str(), "phones" | "devices" | "anything") {
                return Some(format!(
                    "'{}' is none of phones, devices, anything",
                    owner.kind
                ));
            }
        }
        let organisations = vendor.prefix_owners.iter().map(|o| &o.organisation);
        for pattern in organisations
            .chain(&vendor.host_names)
            .chain(&vendor.vendor_class)
        {
            if !is_pattern(pattern) {
                return Some(format!("'{pattern}' is not a pattern"));
            }
            if !self.patterns.insert(pattern.clone()) {
                return Some(format!("the pattern '{pattern}' stands twice"));
            }
        }
        None
    }
}

/// Whether a pattern says something: lower case, and two characters of its own at least, so that
/// no slip of the pen fits every device.
fn is_pattern(pattern: &str) -> bool {
    let own = pattern.chars().filter(|c| !matches!(c, '*' | ' ')).count();
    own >= 2
        && !pattern.contains("**")
        && pattern
            .bytes()
            .all(|b| (b' '..=b'~').contains(&b) && !b.is_ascii_uppercase())
}

/// The options a text lists, `1,121,3`.
fn options(list: &str) -> Option<Vec<u8>> {
    list.split(',').map(|option| option.parse().ok()).collect()
}

pub(crate) fn render(file: &Vendors) -> String {
    let mut out = String::from("static VENDORS: &[VendorFacts] = &[\n");
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text)
            .and_then(|()| out.write_str("\n"))
            .expect("a String takes everything");
    };
    for v in &file.vendors {
        // One decimal is what the source gives.
        let share = v
            .shipments_2020q1_percent
            .map(|percent| format!("{:.0}", percent * 10.0));
        let share = share.map_or_else(|| "None".to_owned(), |permille| format!("Some({permille})"));
        line(format_args!(
            "VendorFacts {{ id: {:?}, name: {:?}, brands: &{:?}, country: *b{:?}, shipments_2020q1_permille: {share}, domains: &{:?}, host_names: &{:?}, vendor_class: &{:?}, core: &{:?}, check: &{:?}, weak: &{:?} }},",
            v.id,
            v.name,
            v.brands,
            v.country,
            v.domains,
            v.host_names,
            v.vendor_class,
            v.core,
            v.check,
            v.weak
        ));
    }
    line(format_args!("];\nstatic SYSTEMS: &[System] = &["));
    for s in &file.systems {
        let vendor = s
            .vendor
            .as_ref()
            .and_then(|id| file.vendors.iter().find(|v| v.id == *id))
            .map(|v| v.number);
        let wanted: Vec<_> = s.wanted.iter().filter_map(|list| options(list)).collect();
        let wanted = format!("{wanted:?}").replace('[', "&[");
        line(format_args!(
            "System {{ id: {:?}, vendor: {vendor:?}, phone: {:?}, wanted: {wanted} }},",
            s.id, s.phone
        ));
    }
    line(format_args!(
        "];\nstatic NOT_PHONE_NAMES: &[&str] = &{:?};",
        file.not_phone_names
    ));
    out
}
