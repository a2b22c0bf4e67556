//! Phone vendors: a closed list, made at build time from `data/vendors.toml`.
//!
//! A [`Vendor`] is one row of that list; there is no other way to get one. Its number goes over the
//! wire and is never reused.

use crate::net::Country;
use std::fmt;

/// A phone vendor of the list. Sorts by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vendor(u8);

struct VendorFacts {
    id: &'static str,
    name: &'static str,
    brands: &'static [&'static str],
    country: [u8; 2],
    shipments_2020q1_permille: Option<u16>,
    domains: &'static [&'static str],
    host_names: &'static [&'static str],
    vendor_class: &'static [&'static str],
    core: &'static [&'static str],
    check: &'static [&'static str],
    weak: &'static [&'static str],
    not_phones: &'static [&'static str],
    brand_rows: &'static [(&'static str, &'static str)],
}

/// An operating system, told by the options its DHCP client asks for.
#[derive(Debug)]
pub struct System {
    id: &'static str,
    vendor: Option<u8>,
    phone: Option<bool>,
    wanted: &'static [&'static [u8]],
}

// VENDORS, whose row i holds the vendor with number i + 1; SYSTEMS; NOT_PHONE_NAMES;
// STRANGE_PREFIXES; PREFIX_BRANDS and PREFIX_OWNERS_MAX.
include!(concat!(env!("OUT_DIR"), "/vendors.rs"));

impl Vendor {
    /// Every vendor, by number.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + DoubleEndedIterator {
        (0..VENDORS.len()).map(|at| Self(u8::try_from(at + 1).expect("numbers are u8 in the file")))
    }

    /// The vendor with this wire number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (1..=VENDORS.len())
            .contains(&usize::from(number))
            .then_some(Self(number))
    }

    /// The vendor with this id, `xiaomi`.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::all().find(|vendor| vendor.id() == id)
    }

    /// The wire number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The id in tables and addresses, `xiaomi`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.facts().id
    }

    /// The name readers know, `Xiaomi`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Brands sold by it that are counted with it.
    #[must_use]
    pub fn brands(self) -> &'static [&'static str] {
        self.facts().brands
    }

    /// Where it has its seat.
    #[must_use]
    pub fn country(self) -> Country {
        Country::new(self.facts().country).expect("the build checked the code")
    }

    /// Share of world shipments in the first quarter of 2020, in thousandths (IDC).
    #[must_use]
    pub fn shipments_2020q1_permille(self) -> Option<u16> {
        self.facts().shipments_2020q1_permille
    }

    /// The registrable domains it owns.
    #[must_use]
    pub fn domains(self) -> &'static [&'static str] {
        self.facts().domains
    }

    /// Patterns of the names its phones leave the factory with (DHCP option 12). The pattern language
    /// is that of `data/vendors.toml`.
    #[must_use]
    pub fn host_name_patterns(self) -> &'static [&'static str] {
        self.facts().host_names
    }

    /// Patterns of the vendor class only its phones send (DHCP option 60).
    #[must_use]
    pub fn vendor_class_patterns(self) -> &'static [&'static str] {
        self.facts().vendor_class
    }

    /// Domains of its system services: each stands for itself and everything below it.
    #[must_use]
    pub fn core_domains(self) -> &'static [&'static str] {
        self.facts().core
    }

    /// Hosts of its connectivity check.
    #[must_use]
    pub fn check_hosts(self) -> &'static [&'static str] {
        self.facts().check
    }

    /// Domains its apps on other phones use too.
    #[must_use]
    pub fn weak_domains(self) -> &'static [&'static str] {
        self.facts().weak
    }

    /// Domains that its televisions and appliances ask for and its phones do not: each stands for itself
    /// and everything below it.
    #[must_use]
    pub fn not_phone_domains(self) -> &'static [&'static str] {
        self.facts().not_phones
    }

    /// The brand that a row of this vendor's (a pattern or domain of the functions above) tells of, if
    /// it tells it from the vendor's others.
    #[must_use]
    pub fn brand_of(self, row: &str) -> Option<&'static str> {
        let rows = self.facts().brand_rows;
        rows.iter()
            .find(|(known, _)| *known == row)
            .map(|(_, brand)| *brand)
    }

    /// The owner of MAC prefixes that has this number in a table of prefixes: vendors by their own
    /// numbers, and from the other end brands of vendors that have prefixes of their own.
    #[must_use]
    pub fn of_prefix_owner(number: u8) -> Option<(Self, Option<&'static str>)> {
        if let Some(vendor) = Self::from_number(u32::from(number)) {
            return Some((vendor, None));
        }
        let at = PREFIX_OWNERS_MAX.checked_sub(usize::from(number))?;
        let (vendor, brand) = PREFIX_BRANDS.get(at)?;
        Some((Self(*vendor), Some(brand)))
    }

    /// Whether its phones run a system that only it ships.
    #[must_use]
    pub fn has_own_system(self) -> bool {
        SYSTEMS.iter().any(|system| system.vendor == Some(self.0))
    }

    fn facts(self) -> &'static VendorFacts {
        &VENDORS[usize::from(self.0) - 1]
    }
}

/// Patterns of names that are not a phone's, whatever else they look like. The pattern language is
/// that of `data/vendors.toml`.
#[must_use]
pub fn not_phone_names() -> &'static [&'static str] {
    NOT_PHONE_NAMES
}

/// MAC prefixes that devices of any make show, whoever the registry says owns them.
#[must_use]
pub fn strange_prefixes() -> &'static [[u8; 3]] {
    STRANGE_PREFIXES
}

impl System {
    /// The system whose DHCP client asks for these options in this order (option 55).
    #[must_use]
    pub fn of_wanted_options(wanted: &[u8]) -> Option<&'static Self> {
        SYSTEMS
            .iter()
            .find(|system| system.wanted.contains(&wanted))
    }

    /// Its id, `ios`.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// The only vendor that ships it, if there is one.
    #[must_use]
    pub fn vendor(&self) -> Option<Vendor> {
        self.vendor
            .and_then(|number| Vendor::from_number(u32::from(number)))
    }

    /// Whether it runs on phones (true), never on phones (false), or either (none).
    #[must_use]
    pub const fn on_phones(&self) -> Option<bool> {
        self.phone
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_lead_to_the_same_vendor() {
        for vendor in Vendor::all() {
            assert_eq!(Vendor::from_id(vendor.id()), Some(vendor));
            assert_eq!(Vendor::from_number(vendor.number()), Some(vendor));
        }
        assert_eq!(Vendor::from_number(0), None);
        assert_eq!(Vendor::from_number(200), None);
        let ids: Vec<_> = Vendor::all().map(Vendor::id).collect();
        assert_eq!(
            ids.join(" "),
            "samsung huawei honor apple xiaomi vivo oppo google motorola hmd sony zte transsion asus lg"
        );
    }

    #[test]
    fn brands_of_one_vendor_are_told_apart_where_a_row_tells_them() {
        let oppo = Vendor::from_id("oppo").expect("listed");
        for (row, brand) in [
            ("rmx####*", Some("realme")),
            ("realme.com", Some("realme")),
            ("oneplus*", Some("OnePlus")),
            ("h2os.com", Some("OnePlus")),
            // OnePlus's newer phones carry such names too.
            ("cph####*", None),
            ("allawnos.com", None),
        ] {
            assert_eq!(oppo.brand_of(row), brand, "{row}");
        }
    }

    #[test]
    fn prefixes_lead_to_vendors_and_some_to_brands() {
        for vendor in Vendor::all() {
            let number = u8::try_from(vendor.number()).expect("below 64");
            assert_eq!(Vendor::of_prefix_owner(number), Some((vendor, None)));
        }
        let brands: Vec<_> = (0..=u8::MAX)
            .rev()
            .filter_map(Vendor::of_prefix_owner)
            .filter_map(|(vendor, brand)| Some((vendor.id(), brand?)))
            .collect();
        assert!(brands.contains(&("oppo", "realme")), "{brands:?}");
        assert!(brands.contains(&("oppo", "OnePlus")), "{brands:?}");
        assert_eq!(Vendor::of_prefix_owner(0), None);
        assert_eq!(Vendor::of_prefix_owner(40), None);
    }
}
