//! One line of a list: which form it has, and what it names.

use super::Fault;
use super::suffix;
use std::net::IpAddr;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing: empty, a comment, or what every hosts file begins with.
    Nothing,
    /// Something that is no whole host.
    LeftOut,
    /// Names, as they are written.
    Names(Scope, Vec<&'a str>),
}

/// How far a name reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The host.
    Host,
    /// The name and everything below it.
    Domain,
    /// The name and everything below it, taken out.
    Exception,
}

/// What the lines so far have shown of the list.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// It is written for a browser: a line that names no host is a rule for something else.
    is_adblock: bool,
}

impl Form {
    /// Reads a line.
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Result<Line<'a>, Fault> {
        let line = line.trim();
        self.is_adblock |= line.starts_with(['!', '[']);
        if line.is_empty() || line.starts_with(['!', '[']) {
            return Ok(Line::Nothing);
        }
        let (rule, scope) = match line.strip_prefix("@@") {
            Some(rule) => (rule, Scope::Exception),
            None => (line, Scope::Domain),
        };
        if let Some(rule) = rule.strip_prefix("||") {
            self.is_adblock = true;
            return adblock(rule, scope);
        }
        if scope == Scope::Exception {
            self.is_adblock = true;
            return Ok(Line::LeftOut);
        }
        // In a browser's list, two of them begin a rule for any page's elements.
        if line.starts_with('#') {
            let is_rule = self.is_adblock && line.starts_with("##");
            return Ok(if is_rule {
                Line::LeftOut
            } else {
                Line::Nothing
            });
        }
        self.hosts_or_domain(line)
    }

    fn hosts_or_domain<'a>(&self, line: &'a str) -> Result<Line<'a>, Fault> {
        let words: Vec<_> = line
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'))
            .collect();
        let fault = match words.as_slice() {
            [address, names @ ..] if address.parse::<IpAddr>().is_ok() => return hosts(names),
            [word] => {
                let domain = word.strip_prefix("*.").unwrap_or(word);
                // In a browser's list a bare word is part of an address, wherever it stands there.
                if is_name(domain) && (word.contains('.') || !self.is_adblock) {
                    return domain_line(domain, Scope::Domain);
                }
                Fault::NotAName
            }
            _ => Fault::NoForm,
        };
        if self.is_adblock {
            return Ok(Line::LeftOut);
        }
        Err(fault)
    }
}

/// The names behind an address. `localhost` and the like, and addresses again, are in every such file.
fn hosts<'a>(names: &[&'a str]) -> Result<Line<'a>, Fault> {
    let names: Vec<_> = names
        .iter()
        .map(|name| without_dot(name))
        .filter(|name| name.contains('.') && name.parse::<IpAddr>().is_err())
        .collect();
    if names.iter().all(|name| is_name(name)) {
        Ok(Line::Names(Scope::Host, names))
    } else {
        Err(Fault::NotAName)
    }
}

/// What stands behind `||`: a host and nothing of a page, for every page.
fn adblock(rule: &str, scope: Scope) -> Result<Line<'_>, Fault> {
    let (address, modifiers) = rule.split_once('$').unwrap_or((rule, ""));
    let host = address.trim_end_matches('|');
    let host = host.strip_suffix('^').unwrap_or(host);
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_everywhere = modifiers
        .split(',')
        .all(|word| EVERYWHERE.contains(&word.trim()));
    if is_everywhere && is_name(host) {
        domain_line(host, scope)
    } else {
        Ok(Line::LeftOut)
    }
}

fn domain_line(domain: &str, scope: Scope) -> Result<Line<'_>, Fault> {
    let domain = without_dot(domain);
    // What takes nothing but a suffix out takes out everything: as much a slip of the pen.
    if suffix::is_public(domain) {
        return Err(Fault::PublicSuffix);
    }
    Ok(Line::Names(scope, vec![domain]))
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether this is a host name (RFC 1035, section 2.3.4, with the underscores that are in use), in
/// either case, with or without a dot at the end.
fn is_name(text: &str) -> bool {
    let text = without_dot(text);
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(label_fits)
}

/// Modifiers that leave a rule as wide as it is for whoever asks for a host.
const EVERYWHERE: [&str; 7] = [
    "",
    "important",
    "all",
    "third-party",
    "3p",
    "document",
    "doc",
];
