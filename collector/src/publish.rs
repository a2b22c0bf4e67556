//! Publishing: a release as a folder of files, summed, signed, and put in place by one rename.
//!
//! - A format is a pure function from a [`Release`] to files ([`files`]); the same release and key
//!   give the same bytes, so publishing twice changes nothing.
//! - The folder is `OUT/<week>.<revision>/`. It is written beside its place under a hidden name,
//!   flushed to disk, and renamed: readers see all of it or nothing. `OUT` holds release folders only.
//! - What already stands there is compared byte by byte and never overwritten: other bytes are a
//!   finding, for somebody to look at.
//! - `SHA256SUMS` lists every file but itself and its signature, as `sha256sum` prints it, sorted.
//!   `SHA256SUMS.sig` is 128 hex digits and a newline: Ed25519 over the DSSE pre-authentication
//!   encoding of the release payload type and the list's exact bytes, the one rule by which anything
//!   is signed here.
//!
//! [`verify`] is the reader's half: it needs the folder and nothing else.

mod folder;
mod verify;

pub use folder::{Outcome, PublishError, publish};
pub use verify::{Origin, Refusal, Report, VerifiedRelease, VerifyError, verify};

use crate::format::table::{Table, TableName};
use crate::format::{csv, json};
use crate::map::{self, View};
use crate::release::Release;
use crate::site;
use phonehome_proto::id::{Hash, to_hex};
use phonehome_proto::seal::{PayloadType, SigningKey, VerifyingKey};

/// A file of a release: its name in the folder, its bytes.
pub type File = (String, Vec<u8>);

/// The list of sums.
pub const SUMS: &str = "SHA256SUMS";
/// The signature over the list.
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// The key the signature verifies with: 64 hex digits and nothing else.
pub const PUBLIC_KEY: &str = "collector.pub";

/// Every unsigned file of a release, sorted by name.
#[must_use]
pub fn files(release: &Release) -> Vec<File> {
    let mut files = vec![
        ("index.html".to_owned(), site::index(release)),
        ("map.svg".to_owned(), map::svg(release, View::AllVendors)),
        ("release.json".to_owned(), json::to_json(release)),
    ];
    for name in TableName::ALL {
        let table = Table::of(release, name);
        files.push((format!("{}.csv", name.file_stem()), csv::write(&table)));
        files.push((format!("{}.json", name.file_stem()), json::of_table(&table)));
    }
    files.sort();
    files
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect()
}

/// Every file of a release as it stands in its folder: [`files`], the key, the sums, the signature.
#[must_use]
pub fn signed_files(release: &Release, key: &SigningKey) -> Vec<File> {
    let mut files = files(release);
    files.push((
        PUBLIC_KEY.to_owned(),
        to_hex(key.public().as_bytes()).into_bytes(),
    ));
    files.sort();
    let sums = sums(&files);
    let signature = format!(
        "{}\n",
        to_hex(&key.sign(PayloadType::Release, sums.as_bytes()))
    );
    files.push((SUMS.to_owned(), sums.into_bytes()));
    files.push((SIGNATURE.to_owned(), signature.into_bytes()));
    files
}

/// The lines `sha256sum` prints for files in this order.
fn sums(files: &[File]) -> String {
    files
        .iter()
        .map(|(name, bytes)| format!("{}  {name}\n", Hash::of(bytes).to_hex()))
        .collect()
}

/// How people compare keys: SHA-256 of the key, in groups of four hex digits.
#[must_use]
pub fn fingerprint(key: &VerifyingKey) -> String {
    let digits = Hash::of(key.as_bytes()).to_hex();
    let groups: Vec<&str> = (0..digits.len())
        .step_by(4)
        .map(|at| &digits[at..at + 4])
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests;
