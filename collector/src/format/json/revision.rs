//! What a revision says about itself, in JSON: why there is one, and every changed cell, table by
//! table, as it was (`before`) and as it is (`after`). A first release has none of it.

use super::read::{NotARelease, WrittenRow, home_table, matrix};
use super::{of_table, text};
use crate::format::table::{Table, TableName};
use crate::release::Release;
use crate::release::revision::{Before, Reason, Revision};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tables a revision can change; of others it says nothing.
const TABLES: [TableName; 4] = [
    TableName::Server,
    TableName::Network,
    TableName::Owner,
    TableName::Home,
];

/// `after` is in the release's tables as well, and is read from there.
#[derive(Deserialize)]
pub(super) struct Written {
    reasons: Vec<WrittenReason>,
    /// Written only where it is so.
    #[serde(default)]
    after_revocation: bool,
    before: BTreeMap<String, Vec<WrittenRow>>,
}

#[derive(Serialize, Deserialize)]
struct WrittenReason {
    source: String,
    from: Option<String>,
    to: Option<String>,
}

/// The value of the key `revised`; `None` for a first release.
pub(super) fn of(release: &Release) -> Option<String> {
    let revision = release.revision.as_ref()?;
    let reasons = revision.reasons.iter().map(|reason| WrittenReason {
        source: reason.source.clone(),
        from: reason.from.clone(),
        to: reason.to.clone(),
    });
    let reasons: Vec<WrittenReason> = reasons.collect();
    let first = crate::release::ReleaseId {
        revision: 0,
        ..release.id
    };
    let revoked = if revision.is_after_revocation {
        "\"after_revocation\": true,\n"
    } else {
        ""
    };
    Some(format!(
        "{{\n\"first\": {},\n\"reasons\": {},\n{revoked}\"before\": {},\n\"after\": {}\n}}",
        text(&first.to_string()),
        text(&reasons),
        tables(&before(release, revision)),
        tables(&after(release, revision)),
    ))
}

/// The changed cells as they were, in a release that has nothing else.
#[must_use]
pub fn before(release: &Release, revision: &Revision) -> Release {
    let Before {
        server,
        network,
        owner,
        home,
    } = revision.before.clone();
    Release {
        server,
        network,
        owner,
        home,
        ..release.clone()
    }
}

/// The changed cells as they are, in a release that has nothing else.
#[must_use]
pub fn after(release: &Release, revision: &Revision) -> Release {
    let before = &revision.before;
    let mut after = release.clone();
    after
        .server
        .retain(|key, _| before.server.contains_key(key));
    after
        .network
        .retain(|key, _| before.network.contains_key(key));
    after.owner.retain(|key, _| before.owner.contains_key(key));
    after.home.retain(|key, _| before.home.contains_key(key));
    after
}

fn tables(of: &Release) -> String {
    let tables = TABLES.map(|name| {
        let rows = of_table(&Table::of(of, name));
        format!("{}: {}", text(&name.file_stem()), rows.trim_end())
    });
    format!("{{\n{}\n}}", tables.join(",\n"))
}

impl Written {
    /// What was written.
    pub(super) fn read(self) -> Result<Revision, NotARelease> {
        let rows = |name: TableName| {
            let rows = self.before.get(name.file_stem());
            rows.map_or(&[][..], Vec::as_slice)
        };
        let before = Before {
            server: matrix(rows(TableName::Server))?,
            network: matrix(rows(TableName::Network))?,
            owner: matrix(rows(TableName::Owner))?,
            home: home_table(rows(TableName::Home))?,
        };
        let reasons = self.reasons.into_iter().map(|reason| Reason {
            source: reason.source,
            from: reason.from,
            to: reason.to,
        });
        Ok(Revision {
            reasons: reasons.collect(),
            is_after_revocation: self.after_revocation,
            before,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{from_json, to_json};
    use crate::format::fixture;

    #[test]
    fn a_revision_comes_back_whole_and_a_first_release_says_nothing_of_it() {
        assert!(!to_json(&fixture::release()).contains("\"revised\""));
        let revised = fixture::revised();
        let written = to_json(&revised);
        assert!(written.contains("\"first\": \"2026-W46.0\""));
        assert_eq!(from_json(&written).expect("as written"), revised);
        // What it was and what it is stand beside each other, row by row.
        let value: serde_json::Value = serde_json::from_str(&written).expect("JSON");
        let rows = |when: &str| {
            value["revised"][when]["matrix-server"]
                .as_array()
                .map(Vec::len)
        };
        assert_eq!(rows("before"), Some(1));
        assert_eq!(rows("before"), rows("after"));
    }
}
