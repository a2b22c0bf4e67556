//! Publishing: a release as a folder of files, summed, signed, and put in place by one rename.
//!
//! - A format is a pure function from a [`Release`] to files ([`files`]); the same releases and key
//!   give the same bytes, so publishing twice changes nothing.
//! - Releases never change, and each folder lists all that came before it ([`Log`]), so that none can be
//!   exchanged or left out later unseen.
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
mod log;
mod pages;
mod verify;

pub use folder::{Outcome, PublishError, publish, publish_some};
pub use log::{LOG, Log};
pub use pages::write_site;
pub use verify::{Origin, Refusal, Report, VerifiedRelease, VerifyError, verify};

use crate::format::picture::Picture;
use crate::format::table::{Table, TableName};
use crate::format::{csv, dataset, geojson, json, parquet};
use crate::map::{self, Fact, View};
use crate::release::Release;
use crate::site;
use phonehome_proto::id::{Hash, to_hex};
use phonehome_proto::seal::{PayloadType, SigningKey, VerifyingKey};

pub use crate::format::dataset::File;

/// The list of sums.
pub const SUMS: &str = "SHA256SUMS";
/// The signature over the list.
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// The key the signature verifies with: 64 hex digits and nothing else.
pub const PUBLIC_KEY: &str = "collector.pub";

/// How wide a PNG in a folder is: two columns of a newspaper at 300 dots to the inch.
pub const PNG_WIDTH_PX: u32 = 1_600;

/// Every file that is made of a release alone, sorted by name.
#[must_use]
pub fn files(release: &Release) -> Vec<File> {
    let mut files = vec![
        text("index.html", site::index(release)),
        text("release.json", json::to_json(release)),
    ];
    for fact in Fact::ALL {
        let name = match fact {
            Fact::Server => "map",
            Fact::Network => "map-network",
            Fact::Owner => "map-owner",
        };
        let svg = map::svg_by(release, fact, View::AllVendors);
        let picture = Picture::of(&svg);
        let png = picture.png(PNG_WIDTH_PX);
        files.push(text(&format!("{name}.svg"), svg));
        // A map so tall that it may not be drawn has its other forms.
        files.extend(png.map(|png| (format!("{name}.png"), png)));
        files.push((format!("{name}.pdf"), picture.pdf(release, name)));
    }
    for name in TableName::ALL {
        let (table, stem) = (Table::of(release, name), name.file_stem());
        files.push(text(&format!("{stem}.csv"), csv::write(&table)));
        files.push(text(&format!("{stem}.json"), json::of_table(&table)));
        let file = parquet::write(release, &table);
        files.push((format!("{stem}.parquet"), file));
        let geography = geojson::write(release, name);
        files.extend(geography.map(|of| text(&format!("{stem}.geojson"), of)));
    }
    files.extend(dataset::describe(release, &files));
    files.sort();
    files
}

fn text(name: &str, text: String) -> File {
    (name.to_owned(), text.into_bytes())
}

/// Every file of a release as it stands in its folder: [`files`], the log, the key, the sums, the
/// signature.
#[must_use]
pub fn signed_files(release: &Release, log: &Log, key: &SigningKey) -> Vec<File> {
    sealed(files(release), log, key)
}

fn sealed(mut files: Vec<File>, log: &Log, key: &SigningKey) -> Vec<File> {
    files.push(text(LOG, log.write()));
    files.push(text(PUBLIC_KEY, to_hex(key.public().as_bytes())));
    files.sort();
    let sums = sums(&files);
    let signature = to_hex(&key.sign(PayloadType::Release, sums.as_bytes()));
    files.push(text(SUMS, sums));
    files.push(text(SIGNATURE, format!("{signature}\n")));
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
