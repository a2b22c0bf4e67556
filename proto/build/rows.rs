//! What both fact tables share: where a row stands, and what may be written in it.

use crate::rules::{self, Fault};
use toml::Spanned;

/// A table's text, for saying where something stands in it.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) file: &'static str,
    pub(crate) text: &'a str,
}

impl Text<'_> {
    /// The refusal of a row, with its line: `data/vendors.toml, line 12: this id stands twice`.
    pub(crate) fn refuse<T>(self, row: &Spanned<T>, why: &str) -> String {
        let line = self.text[..row.span().start].matches('\n').count() + 1;
        format!("{}, line {line}: {why}", self.file)
    }
}

/// Whether `id` may stand in addresses and tables: `oppo`, `alibaba-cloud`.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether `code` is an ISO 3166-1 alpha-2 code by its form.
pub(crate) fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// What is wrong with a host name, if anything.
pub(crate) fn host_fault(host: &str) -> Option<&'static str> {
    rules::check_host(host).err().map(Fault::sentence)
}

/// Whether `host` lies below a public suffix, so that it can be somebody's.
pub(crate) fn has_registrable_domain(host: &str) -> bool {
    psl::domain_str(host).is_some()
}

/// What is wrong with a domain an owner claims, if anything. A suffix of the list's private part, such
/// as `googleapis.com`, is its owner's; one of the registries' part is nobody's.
pub(crate) fn domain_fault(domain: &str) -> Option<&'static str> {
    if let Some(fault) = host_fault(domain) {
        return Some(fault);
    }
    let is_owners_suffix = psl::suffix(domain.as_bytes())
        .is_some_and(|s| s == domain && s.typ() == Some(psl::Type::Private));
    (psl::domain_str(domain) != Some(domain) && !is_owners_suffix)
        .then_some("this is not a registrable domain")
}

/// What is wrong with claiming a domain when others are taken, if anything.
pub(crate) fn claim_fault(domain: &str, taken: &[String]) -> Option<&'static str> {
    taken.iter().find_map(|other| {
        let other = other.as_str();
        if other == domain {
            Some("this domain has two owners")
        } else if lies_inside(domain, [other].into_iter()) {
            Some("this domain lies below another one's")
        } else if lies_inside(other, [domain].into_iter()) {
            Some("another one's domain lies below this")
        } else {
            None
        }
    })
}

/// Whether `host` is one of `domains` or lies below one.
pub(crate) fn lies_inside<'d>(host: &str, domains: impl Iterator<Item = &'d str>) -> bool {
    rules::front(host, domains).is_some()
}
