//! `data/vendors.toml` -> the vendor table.
//!
//! A row that could give one vendor's phones to another, or fit anything, fails the build with the
//! line of the word that is wrong.

use crate::claims::{self, Seen};
use crate::rows::Text;
use crate::rules;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    not_phone_names: Vec<Word>,
    strange_prefixes: Vec<Word>,
    vendor: Vec<Spanned<Vendor>>,
    system: Vec<Spanned<System>>,
}

/// A text, and where it stands.
pub(crate) type Word = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vendor {
    pub(crate) number: u8,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) brands: Vec<String>,
    pub(crate) country: String,
    pub(crate) shipments_2020q1_percent: Option<f64>,
    pub(crate) domains: Vec<Word>,
    pub(crate) prefix_owners: Vec<PrefixOwner>,
    pub(crate) host_names: Vec<Word>,
    #[serde(default)]
    pub(crate) vendor_class: Vec<Word>,
    #[serde(default)]
    pub(crate) core: Vec<Word>,
    #[serde(default)]
    pub(crate) check: Vec<Word>,
    #[serde(default)]
    pub(crate) weak: Vec<Word>,
    #[serde(default)]
    pub(crate) not_phones: Vec<Word>,
    #[serde(default)]
    pub(crate) brand_rows: BTreeMap<String, Vec<Word>>,
    #[serde(default)]
    pub(crate) regions: BTreeMap<String, Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrefixOwner {
    pub(crate) organisation: Word,
    pub(crate) kind: Word,
    pub(crate) brand: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    id: String,
    vendor: Option<Word>,
    phone: Option<bool>,
    wanted: Vec<Word>,
}

pub(crate) struct Vendors {
    pub(crate) vendors: Vec<Vendor>,
    systems: Vec<System>,
    not_phone_names: Vec<Word>,
    strange_prefixes: Vec<[u8; 3]>,
}

/// Numbers of owners of MAC prefixes: vendors' count up from 1, brands' down from here. They share a
/// byte with two bits of kind.
const PREFIX_OWNERS_MAX: usize = 63;

/// The vendors in the order of their numbers, which run from 1 without a gap.
pub(crate) fn read(text: &str) -> Result<Vendors, String> {
    let file: File = toml::from_str(text).map_err(|e| format!("data/vendors.toml: {e}"))?;
    let at = Text {
        file: "data/vendors.toml",
        text,
    };
    for pattern in &file.not_phone_names {
        claims::check_pattern(at, pattern)?;
    }
    let strange_prefixes = file
        .strange_prefixes
        .iter()
        .map(|word| prefix(word.get_ref()).ok_or_else(|| at.refuse(word, "this is not a prefix")))
        .collect::<Result<_, _>>()?;

    let mut seen = Seen::default();
    let mut vendors = Vec::new();
    for row in file.vendor {
        let vendor = row.get_ref();
        if usize::from(vendor.number) != vendors.len() + 1 {
            return Err(at.refuse(&row, "numbers run from 1 without a gap"));
        }
        seen.check(at, &row)?;
        vendors.push(row.into_inner());
    }
    if vendors.len() + prefix_brands(&vendors).count() > PREFIX_OWNERS_MAX {
        return Err(format!("{}: too many owners of MAC prefixes", at.file));
    }

    let mut wanted = HashSet::new();
    let mut systems = Vec::new();
    for row in file.system {
        let system = row.get_ref();
        if let Some(id) = &system.vendor
            && vendors.iter().all(|v| v.id != *id.get_ref())
        {
            return Err(at.refuse(id, "the vendor is not one of this file"));
        }
        for list in &system.wanted {
            let text = list.get_ref();
            if options(text).is_none() {
                return Err(at.refuse(list, &format!("'{text}' is not a list of options")));
            }
            if !wanted.insert(text.clone()) {
                return Err(at.refuse(list, &format!("'{text}' stands twice")));
            }
        }
        systems.push(row.into_inner());
    }
    Ok(Vendors {
        vendors,
        systems,
        not_phone_names: file.not_phone_names,
        strange_prefixes,
    })
}

impl Vendor {
    /// The registrable domains it owns.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &str> + Clone {
        self.domains.iter().map(|word| word.get_ref().as_str())
    }

    /// The country that a host of this vendor declares: what the tokens mean that stand between dots
    /// and hyphens in front of the vendor's own domain. None without a token, or if they disagree.
    pub(crate) fn region_of(&self, host: &str) -> Option<&str> {
        let front = rules::front(host, self.domains())?;
        let mut countries = front
            .split(['.', '-'])
            .filter_map(|token| self.regions.get(token))
            .map(|country| country.get_ref().as_str());
        let first = countries.next()?;
        countries.all(|country| country == first).then_some(first)
    }

    /// Every row that a clue may name.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Word> {
        let hosts = [&self.core, &self.check, &self.weak];
        self.host_names
            .iter()
            .chain(hosts.into_iter().flatten())
            .chain(&self.vendor_class)
    }
}

/// Owners of MAC prefixes that are brands, in the order of the file.
fn prefix_brands(vendors: &[Vendor]) -> impl Iterator<Item = (u8, &str)> {
    vendors.iter().flat_map(|vendor| {
        let brands = vendor.prefix_owners.iter().filter_map(|o| o.brand.as_ref());
        brands.map(|brand| (vendor.number, brand.get_ref().as_str()))
    })
}

/// The options a text lists, `1,121,3`.
fn options(list: &str) -> Option<Vec<u8>> {
    list.split(',').map(|option| option.parse().ok()).collect()
}

/// The three bytes a text names, `00:1a:11`.
fn prefix(text: &str) -> Option<[u8; 3]> {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| {
            u8::from_str_radix(byte, 16)
                .ok()
                .filter(|_| byte.len() == 2)
        })
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

pub(crate) fn render(file: &Vendors) -> String {
    let texts = |words: &[Word]| {
        let texts: Vec<&str> = words.iter().map(|word| word.get_ref().as_str()).collect();
        format!("&{texts:?}")
    };
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
        let brand_rows: Vec<(&str, &str)> = v
            .brand_rows
            .iter()
            .flat_map(|(brand, rows)| {
                rows.iter()
                    .map(|row| (row.get_ref().as_str(), brand.as_str()))
            })
            .collect();
        line(format_args!(
            "VendorFacts {{ id: {:?}, name: {:?}, brands: &{:?}, country: *b{:?}, shipments_2020q1_permille: {share}, domains: {}, host_names: {}, vendor_class: {}, core: {}, check: {}, weak: {}, not_phones: {}, brand_rows: &{brand_rows:?} }},",
            v.id,
            v.name,
            v.brands,
            v.country,
            texts(&v.domains),
            texts(&v.host_names),
            texts(&v.vendor_class),
            texts(&v.core),
            texts(&v.check),
            texts(&v.weak),
            texts(&v.not_phones),
        ));
    }
    line(format_args!("];\nstatic SYSTEMS: &[System] = &["));
    for s in &file.systems {
        let vendor = s
            .vendor
            .as_ref()
            .and_then(|id| file.vendors.iter().find(|v| v.id == *id.get_ref()))
            .map(|v| v.number);
        let wanted: Vec<_> = s
            .wanted
            .iter()
            .filter_map(|list| options(list.get_ref()))
            .collect();
        let wanted = format!("{wanted:?}").replace('[', "&[");
        line(format_args!(
            "System {{ id: {:?}, vendor: {vendor:?}, phone: {:?}, wanted: {wanted} }},",
            s.id, s.phone
        ));
    }
    let brands: Vec<_> = prefix_brands(&file.vendors).collect();
    line(format_args!(
        "];\nstatic NOT_PHONE_NAMES: &[&str] = {};\nstatic STRANGE_PREFIXES: &[[u8; 3]] = &{:?};\nstatic PREFIX_BRANDS: &[(u8, &str)] = &{brands:?};\nconst PREFIX_OWNERS_MAX: usize = {PREFIX_OWNERS_MAX};",
        texts(&file.not_phone_names),
        file.strange_prefixes,
    ));
    out
}
