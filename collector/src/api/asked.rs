//! What was asked: the parts of the path, the parameters, and which kind of answer.
//!
//! Pure. Parameters are known, given once, and codes: nothing needs decoding, and what does is refused
//! by whoever reads it.

use super::Problem;
use super::kind::Kind;
use std::collections::BTreeMap;

/// A request, without what no handler may depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The path as matched, without an ending that names a kind: `/v1/matrix`, `/v1/vendors/{id}`.
    pub(super) path: &'static str,
    /// The kind that the ending of the matched path names.
    pub(super) ending: Option<Kind>,
    /// The parts of the path in braces, in their order.
    pub(super) parts: Vec<String>,
    /// What follows the question mark.
    pub(super) query: String,
    /// The header `Accept`; empty if there is none.
    pub(super) accept: String,
}

/// What is asked of a route with several kinds.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The last part of the path without its ending; empty if the path has no parts.
    pub(super) stem: &'a str,
    /// Which kind is to be given.
    pub(super) kind: Kind,
    /// The parameters, `format` among them.
    pub(super) parameters: BTreeMap<&'static str, &'a str>,
}

impl Asked {
    /// A part of the path in braces. The router matched as many as the route has.
    pub(super) fn part(&self, index: usize) -> &str {
        &self.parts[index]
    }

    /// Bytes it takes in memory, about.
    pub(super) fn size_bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(String::len).sum();
        size_of::<Self>() + parts + self.query.len() + self.accept.len()
    }

    /// The parameters, each known and given once.
    pub(super) fn parameters(
        &self,
        known: &[&'static str],
    ) -> Result<BTreeMap<&'static str, &str>, Problem> {
        parse(&self.query, known)
    }

    /// The parameters, and which of `kinds` is to be given: by the ending, by `format`, by `Accept`.
    pub(super) fn wanted(
        &self,
        known: &[&'static str],
        kinds: &[Kind],
    ) -> Result<Wanted<'_>, Problem> {
        let parameters = self.parameters(known)?;
        let last = self.parts.last().map_or("", String::as_str);
        let by_ending = last.rsplit_once('.').and_then(|(stem, ending)| {
            let kind = Kind::of_ending(ending).filter(|kind| kinds.contains(kind))?;
            Some((stem, kind))
        });
        let (stem, ending) = match by_ending {
            Some((stem, kind)) => (stem, Some(kind)),
            None => (last, self.ending),
        };
        let format = match parameters.get("format") {
            None => None,
            Some(format) => Some(
                Kind::of_ending(format)
                    .filter(|kind| kinds.contains(kind))
                    .ok_or_else(|| bad("format", format, "this path does not give it"))?,
            ),
        };
        let kind = match (ending, format) {
            (Some(ending), Some(format)) if ending != format => {
                return Err(bad("format", format.ending(), "the path ends in another"));
            }
            (Some(kind), _) | (None, Some(kind)) => kind,
            (None, None) => Kind::preferred(&self.accept, kinds).ok_or_else(|| {
                let names: Vec<_> = kinds.iter().map(|kind| kind.essence()).collect();
                Problem::NotAcceptable(names.join(", "))
            })?,
        };
        Ok(Wanted {
            stem,
            kind,
            parameters,
        })
    }

    /// Whether `Accept` has a word in which kind is given.
    pub(super) fn is_negotiated(&self, wanted: &Wanted<'_>) -> bool {
        let last = self.parts.last().map_or("", String::as_str);
        self.ending.is_none() && last == wanted.stem && !wanted.parameters.contains_key("format")
    }
}

/// A parameter that cannot have this value.
pub(super) fn bad(name: &'static str, value: &str, expected: &'static str) -> Problem {
    Problem::BadParameter {
        name,
        value: value.to_owned(),
        expected,
    }
}

/// The parameters of a query.
fn parse<'a>(
    query: &'a str,
    known: &[&'static str],
) -> Result<BTreeMap<&'static str, &'a str>, Problem> {
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = known
            .iter()
            .find(|known| **known == name)
            .ok_or_else(|| Problem::UnknownParameter(name.to_owned()))?;
        if parameters.insert(*name, value).is_some() {
            return Err(bad(name, value, "it is given once"));
        }
    }
    Ok(parameters)
}
