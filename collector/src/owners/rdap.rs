//! An RDAP answer about a domain (RFC 9083) -> the registrant's country, or why it is not there.
//!
//! Pure, and of what a registrant says about itself it reads only organisation and country, from its
//! jCard (RFC 7095): the `cc` parameter of the address (RFC 8605), or the address's last component as
//! a code or an English short name. What is redacted is so by the answer's own `redacted` list
//! (RFC 9537), or by a country that reads "redacted".

use crate::geo::owner::registry::{self, Registered, RegistryAnswer};
use phonehome_proto::net::Country;
use serde_json::Value;

const COUNTRIES: &str = include_str!("../../data/countries.tsv");

/// Where in a jCard address its country stands.
const COUNTRY_COMPONENT: usize = 6;

/// What one answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) registered: Registered,
    pub(super) organisation: Option<String>,
    /// Where the registrar can be asked.
    pub(super) related: Option<String>,
}

impl Facts {
    pub(super) fn answer(self, source: String, date: &str) -> RegistryAnswer {
        RegistryAnswer {
            registered: self.registered,
            organisation: self.organisation,
            source,
            date: date.to_owned(),
        }
    }
}

/// The facts in an answer about this domain, or what is wrong with it.
pub(super) fn read(bytes: &[u8], domain: &str) -> Result<Facts, &'static str> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
    if answer["objectClassName"] != "domain" {
        return Err("it is about no domain");
    }
    let name = answer["ldhName"].as_str().unwrap_or_default();
    if !name.trim_end_matches('.').eq_ignore_ascii_case(domain) {
        return Err("it is about another domain");
    }
    let registrant = list(&answer["entities"]).find(|entity| is_registrant(entity));
    let card = registrant.map(|entity| &entity["vcardArray"][1]);
    let organisation = card.and_then(organisation);
    let written = card.and_then(country);
    let registered = match written {
        Some(Written::Country(country)) => Registered::Published(country),
        Some(Written::Redacted) => Registered::Redacted,
        None if list(&answer["redacted"]).any(withholds_country) => Registered::Redacted,
        None => Registered::Absent,
    };
    Ok(Facts {
        registered,
        organisation,
        related: list(&answer["links"]).find_map(related),
    })
}

/// A country as somebody wrote it.
enum Written {
    Country(Country),
    Redacted,
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_registrant(entity: &Value) -> bool {
    list(&entity["roles"]).any(|role| role == "registrant")
}

/// The rows of a card with this name: `[name, parameters, type, value, ...]`.
fn rows<'a>(card: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    list(card).filter(move |row| {
        row[0]
            .as_str()
            .is_some_and(|n| n.eq_ignore_ascii_case(name))
    })
}

fn organisation(card: &Value) -> Option<String> {
    rows(card, "org").find_map(|row| {
        // An organisation and its units, or the organisation alone.
        let name = row[3].as_str().or_else(|| row[3][0].as_str())?;
        let name = registry::organisation(name);
        (!name.is_empty() && !is_redacted(&name)).then_some(name)
    })
}

fn country(card: &Value) -> Option<Written> {
    rows(card, "adr").find_map(|row| {
        let code = row[1]["cc"].as_str();
        let component = row[3][COUNTRY_COMPONENT].as_str();
        [code, component].into_iter().flatten().find_map(written)
    })
}

fn written(text: &str) -> Option<Written> {
    let text = text.trim();
    if is_redacted(text) {
        return Some(Written::Redacted);
    }
    let code = text.to_ascii_uppercase();
    let listed = || COUNTRIES.lines().filter(|line| !line.starts_with('#'));
    let row = listed().find(|line| {
        let mut fields = line.split('\t');
        let (listed, name) = (fields.next(), fields.nth(1));
        listed == Some(&code) || name.is_some_and(|name| name.eq_ignore_ascii_case(text))
    })?;
    Country::parse(row.split('\t').next()?).map(Written::Country)
}

fn is_redacted(text: &str) -> bool {
    let start = text.get(.."redacted".len()).unwrap_or_default();
    start.eq_ignore_ascii_case("redacted")
}

/// Whether a row of the `redacted` list takes the registrant's country away, by its name or by the
/// path to what is missing.
fn withholds_country(row: &Value) -> bool {
    let name = &row["name"];
    let named = [&name["type"], &name["description"]];
    let is_named = named.into_iter().filter_map(Value::as_str).any(|name| {
        let name = name.to_ascii_lowercase();
        name.starts_with("registrant") && (name.contains("country") || !name.contains(' '))
    });
    let paths = [&row["prePath"], &row["postPath"]];
    let is_led_to = paths.into_iter().filter_map(Value::as_str).any(|path| {
        let address = path.split_once("'adr'").map(|(_, after)| after);
        let is_country = |after: &str| {
            !after.contains("[3]") || after.contains(&format!("[{COUNTRY_COMPONENT}]"))
        };
        let of_address = address.is_some_and(|after| is_country(after) || after.contains("cc"));
        let of_all = !path.contains("vcardArray[1]") && !path.contains("handle");
        path.contains("registrant") && (of_address || of_all)
    });
    is_named || is_led_to
}

/// The address of the registrar's answer in one of the links.
fn related(link: &Value) -> Option<String> {
    let kind = link["type"].as_str().unwrap_or(RDAP);
    let is_meant = link["rel"] == "related" && kind.eq_ignore_ascii_case(RDAP);
    is_meant.then(|| link["href"].as_str().map(ToOwned::to_owned))?
}

const RDAP: &str = "application/rdap+json";

#[cfg(test)]
mod tests;
