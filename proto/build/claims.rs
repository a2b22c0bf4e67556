//! What a vendor's row may claim: what is its own, and nothing that fits everything.

use crate::rows::{self, Text};
use crate::vendors::{Vendor, Word};
use std::collections::HashSet;
use toml::Spanned;

/// What only one vendor may claim.
#[derive(Default)]
pub(crate) struct Seen {
    ids: HashSet<String>,
    domains: Vec<String>,
    patterns: HashSet<String>,
}

impl Seen {
    /// Refuses a row that claims what is another's, or nobody's.
    pub(crate) fn check(&mut self, at: Text<'_>, row: &Spanned<Vendor>) -> Result<(), String> {
        let vendor = row.get_ref();
        if !rows::is_id(&vendor.id) || !self.ids.insert(vendor.id.clone()) {
            return Err(at.refuse(row, "this id stands twice, or is not one"));
        }
        if !rows::is_country(&vendor.country) {
            return Err(at.refuse(row, "country is not two upper-case letters"));
        }
        if vendor
            .shipments_2020q1_percent
            .is_some_and(|p| !(0.0..=100.0).contains(&p))
        {
            return Err(at.refuse(row, "a share lies between 0 and 100 percent"));
        }
        self.check_domains(at, vendor)?;
        self.check_patterns(at, vendor)?;
        check_brands(at, vendor)?;
        for (token, country) in &vendor.regions {
            if let Some(fault) = region_fault(token, country.get_ref()) {
                return Err(at.refuse(country, &format!("'{token}': {fault}")));
            }
        }
        Ok(())
    }

    fn check_domains(&mut self, at: Text<'_>, vendor: &Vendor) -> Result<(), String> {
        for domain in &vendor.domains {
            let name = domain.get_ref();
            if let Some(fault) =
                rows::domain_fault(name).or_else(|| rows::claim_fault(name, &self.domains))
            {
                return Err(at.refuse(domain, &format!("'{name}': {fault}")));
            }
            self.domains.push(name.clone());
        }
        let own = [&vendor.core, &vendor.check, &vendor.weak];
        for host in own.into_iter().flatten().chain(&vendor.not_phones) {
            let name = host.get_ref();
            if let Some(fault) = rows::host_fault(name) {
                return Err(at.refuse(host, &format!("'{name}': {fault}")));
            }
            if !rows::has_registrable_domain(name) {
                return Err(at.refuse(host, &format!("'{name}' covers a public suffix")));
            }
        }
        for host in own.into_iter().flatten() {
            let name = host.get_ref();
            if !rows::lies_inside(name, vendor.domains()) {
                let why = format!("'{name}' lies outside the vendor's domains");
                return Err(at.refuse(host, &why));
            }
        }
        Ok(())
    }

    fn check_patterns(&mut self, at: Text<'_>, vendor: &Vendor) -> Result<(), String> {
        for owner in &vendor.prefix_owners {
            let kind = owner.kind.get_ref();
            if !matches!(kind.as_str(), "phones" | "devices" | "anything") {
                let why = format!("'{kind}' is none of phones, devices, anything");
                return Err(at.refuse(&owner.kind, &why));
            }
        }
        let organisations = vendor.prefix_owners.iter().map(|o| &o.organisation);
        for pattern in organisations
            .chain(&vendor.host_names)
            .chain(&vendor.vendor_class)
        {
            check_pattern(at, pattern)?;
            let text = pattern.get_ref();
            if !self.patterns.insert(text.clone()) {
                return Err(at.refuse(pattern, &format!("the pattern '{text}' stands twice")));
            }
        }
        Ok(())
    }
}

/// A brand's rows are rows of its vendor.
fn check_brands(at: Text<'_>, vendor: &Vendor) -> Result<(), String> {
    let is_brand = |name: &str| vendor.name == name || vendor.brands.iter().any(|b| b == name);
    for brand in vendor.prefix_owners.iter().filter_map(|o| o.brand.as_ref()) {
        if !is_brand(brand.get_ref()) {
            return Err(at.refuse(brand, "this is no brand of the vendor's"));
        }
    }
    let mut taken = HashSet::new();
    for (brand, rows) in &vendor.brand_rows {
        for row in rows {
            let text = row.get_ref();
            if !is_brand(brand) {
                return Err(at.refuse(row, &format!("'{brand}' is no brand of the vendor's")));
            }
            if vendor.rows().all(|known| known.get_ref() != text) {
                return Err(at.refuse(row, &format!("'{text}' is no row of the vendor's")));
            }
            if !taken.insert(text) {
                return Err(at.refuse(row, &format!("'{text}' stands twice")));
            }
        }
    }
    Ok(())
}

/// What is wrong with a region token and the country it stands for, if anything.
fn region_fault(token: &str, country: &str) -> Option<&'static str> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if token.is_empty() || !token.bytes().all(is_word) {
        return Some("a region token is made of lower-case letters and digits");
    }
    (!rows::is_country(country)).then_some("a region token stands for one country's code")
}

/// Whether a pattern says something: lower case, and two characters of its own at least, so that
/// no slip of the pen fits every device.
pub(crate) fn check_pattern(at: Text<'_>, pattern: &Word) -> Result<(), String> {
    let text = pattern.get_ref();
    let own = text.chars().filter(|c| !matches!(c, '*' | ' ')).count();
    let is_pattern = own >= 2
        && !text.contains("**")
        && text
            .bytes()
            .all(|b| (b' '..=b'~').contains(&b) && !b.is_ascii_uppercase());
    if is_pattern {
        Ok(())
    } else {
        Err(at.refuse(pattern, &format!("'{text}' is not a pattern")))
    }
}
