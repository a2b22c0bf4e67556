//! Which registry has an RDAP service, and where (RFC 9224).

use hyper::Uri;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Services by the ending of the domains they know; `""` for all.
pub(super) struct Directory(BTreeMap<String, Uri>);

/// Version, dates and descriptions are for people.
#[derive(Deserialize)]
struct File {
    services: Vec<(Vec<String>, Vec<String>)>,
}

impl Directory {
    /// One service for every domain.
    pub(super) fn one(service: &Uri) -> Self {
        Self(BTreeMap::from([(String::new(), service.clone())]))
    }

    /// IANA's list, or one in its form. Of several addresses of a service the first with HTTPS
    /// counts, else the first.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let file: File = serde_json::from_slice(bytes).map_err(|_| "no list of services")?;
        let mut services = BTreeMap::new();
        for (endings, addresses) in file.services {
            let is_https = |address: &&String| address.starts_with("https://");
            let first = addresses
                .iter()
                .find(is_https)
                .or_else(|| addresses.first());
            if let Some(service) = first.and_then(|address| address.parse::<Uri>().ok()) {
                let endings = endings
                    .into_iter()
                    .map(|ending| ending.to_ascii_lowercase());
                services.extend(endings.map(|ending| (ending, service.clone())));
            }
        }
        Ok(Self(services))
    }

    /// The service with the longest ending that fits.
    pub(super) fn service(&self, domain: &str) -> Option<&Uri> {
        let mut ending = domain;
        loop {
            if let Some(service) = self.0.get(ending) {
                return Some(service);
            }
            ending = match ending.split_once('.') {
                Some((_, rest)) => rest,
                None if ending.is_empty() => return None,
                None => "",
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ending_wins() {
        let list = br#"{"version": "1.0", "services": [
            [["com", "NET"], ["http://one.example/", "https://one.example/v1/"]],
            [["example.com"], ["https://two.example"]], [["cn"], []]]}"#;
        let directory = Directory::read(list).expect("a list");
        let service = |domain| directory.service(domain).map(ToString::to_string);
        assert_eq!(
            service("miui.com"),
            Some("https://one.example/v1/".to_owned())
        );
        assert_eq!(service("xiaomi.net"), service("miui.com"));
        assert_eq!(
            service("a.example.com"),
            Some("https://two.example/".to_owned())
        );
        assert_eq!(service("dbankcloud.cn"), None);
        assert!(Directory::read(b"[]").is_err() && Directory::read(b"{}").is_err());
        let one = Directory::one(&"https://all.example/".parse().expect("a URI"));
        assert!(one.service("dbankcloud.cn").is_some());
    }
}
