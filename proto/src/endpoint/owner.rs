//! Whose an endpoint is: a vendor's, or somebody's who makes no phones.
//!
//! Owners and what they own are compiled in, and no list can add to them. A list that is loaded later
//! names endpoints inside these domains or none.

use super::rules::Claim;
use super::{OWNERS, OWNERS_SUFFIXES};
use crate::net::Country;
use crate::vendor::Vendor;
use std::fmt;

/// An owner of endpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Owner(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its number in the table of vendors.
    Vendor(u8),
    /// Its place in [`OWNERS`].
    Other(u8),
}

/// Who owns endpoints and makes no phones.
pub(super) struct OwnerFacts {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) country: [u8; 2],
    pub(super) domains: &'static [&'static str],
}

impl Owner {
    pub(super) const fn of_vendor(number: u8) -> Self {
        Self(Kind::Vendor(number))
    }

    pub(super) const fn of_row(place: u8) -> Self {
        Self(Kind::Other(place))
    }

    /// The owner with this id, `xiaomi` or `adjust`.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        if let Some(vendor) = Vendor::from_id(id) {
            return u8::try_from(vendor.number()).ok().map(Self::of_vendor);
        }
        let place = OWNERS.iter().position(|owner| owner.id == id)?;
        u8::try_from(place).ok().map(Self::of_row)
    }

    /// The vendor it is, if it is one.
    #[must_use]
    pub fn vendor(self) -> Option<Vendor> {
        match self.0 {
            Kind::Vendor(number) => Vendor::from_number(u32::from(number)),
            Kind::Other(_) => None,
        }
    }

    /// The id, vendor's or not.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.read(Vendor::id, |owner| owner.id)
    }

    /// The name readers know.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.read(Vendor::name, |owner| owner.name)
    }

    /// Where it has its seat.
    #[must_use]
    pub fn country(self) -> Country {
        self.read(Vendor::country, |owner| {
            Country::new(owner.country).expect("the build checked the code")
        })
    }

    /// The registrable domains it owns, and public suffixes that are its own.
    #[must_use]
    pub fn domains(self) -> &'static [&'static str] {
        self.read(Vendor::domains, |owner| owner.domains)
    }

    /// What a row of its may lie inside.
    pub(super) fn claim(self) -> Claim<'static> {
        Claim {
            domains: self.domains(),
            is_vendor: self.vendor().is_some(),
        }
    }

    fn read<T>(self, vendors: impl Fn(Vendor) -> T, others: impl Fn(&OwnerFacts) -> T) -> T {
        match self.0 {
            Kind::Vendor(number) => {
                let vendor = Vendor::from_number(u32::from(number));
                vendors(vendor.expect("only known vendors get in"))
            }
            Kind::Other(place) => others(&OWNERS[usize::from(place)]),
        }
    }
}

/// Whether a domain that somebody owns is a public suffix all the same: below it are others' names.
pub(super) fn is_owners_suffix(host: &str) -> bool {
    OWNERS_SUFFIXES.contains(&host)
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
