//! The site as a folder that any web server can host: pages, their style and script, pictures.
//!
//! - Pages follow the newest release, so unlike release folders they are written over: each file by one
//!   rename, shared files first, first pages last. A page needs only files whose names hold what is in
//!   them, so whoever reads meanwhile meets an old page or a new one, and both are whole.
//! - `LIST` names every file written. What an earlier run wrote and this one does not is removed; a
//!   file that stands in no list is nobody's business here and stays.
//! - Links to data lead to `releases/`, where the caller publishes the release folders.

use super::folder::PublishError;
use crate::release::Release;
use crate::site::{self, Site};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that lists all others.
const LIST: &str = ".phonehome-site";

/// Writes the site of these releases to `out`; how many files it has.
///
/// # Errors
/// [`PublishError`] when the disk refuses; what stood there before still does, file by file.
pub fn write_site(releases: &[&Release], out: &Path) -> Result<usize, PublishError> {
    let Some(site) = Site::of(releases) else {
        return Ok(0);
    };
    let mut written = BTreeSet::new();
    let mut put = |path: String, text: &str| {
        let result = replace(&out.join(&path), text.as_bytes());
        written.insert(path);
        result
    };
    for asset in site::assets() {
        put(asset.path, &asset.text)?;
    }
    for (stem, ..) in site.pictures() {
        if let Some(picture) = site.picture(&stem) {
            put(format!("images/{stem}.svg"), &picture)?;
        }
    }
    let mut addresses = site.addresses();
    // Deeper pages first: whoever comes in by a first page finds what it leads to.
    addresses.sort_by_key(|address| std::cmp::Reverse(address.path().matches('/').count()));
    for address in addresses {
        if let Some(page) = site.page(address) {
            put(address.path(), &page)?;
        }
    }
    sweep(out, &written)?;
    Ok(written.len())
}

/// Removes what the list of an earlier run names and this run did not write, then lists anew.
fn sweep(out: &Path, written: &BTreeSet<String>) -> Result<(), PublishError> {
    let list = out.join(LIST);
    let before = match fs::read_to_string(&list) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(PublishError::Read { path: list, source }),
    };
    let ours = |path: &&str| !path.split('/').any(|part| part.is_empty() || part == "..");
    for path in before.lines().filter(ours) {
        if !written.contains(path) {
            let path = out.join(path);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(PublishError::Write { path, source });
                }
                _ => {}
            }
        }
    }
    let lines: String = written.iter().map(|path| format!("{path}\n")).collect();
    replace(&list, lines.as_bytes())
}

/// Puts `bytes` in a file's place by one rename; bytes that stand there already stay.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let failed = |path: &Path, source| PublishError::Write {
        path: path.to_owned(),
        source,
    };
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let folder: PathBuf = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.draft"));
    let write = || {
        let mut file = fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|source| failed(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use crate::map::words::language::Language;
    use crate::publish::{PUBLIC_KEY, SIGNATURE, SUMS};

    #[test]
    fn a_site_is_written_over_and_swept() {
        let out = tempfile::tempdir().expect("a folder");
        let release = fixture::release();
        let many = write_site(&[&release], out.path()).expect("a disk");
        assert!(many > 300, "{many} files");
        let list = fs::read_to_string(out.path().join(LIST)).expect("a list");
        assert_eq!(list.lines().count(), many);
        for path in [
            "index.html",
            "de/vendors/xiaomi.html",
            "images/xiaomi-owner.svg",
        ] {
            assert!(list.lines().any(|line| line == path), "{path}");
            assert!(out.path().join(path).is_file(), "{path}");
        }
        // A neighbour's file stays, and so does what did not change; what is told no more goes.
        fs::write(out.path().join("CNAME"), "example.org").expect("a disk");
        let before = fs::read(out.path().join("index.html")).expect("a page");
        let told = out.path().join("countries/MT.html");
        assert!(told.is_file());
        let mut next = release.clone();
        next.server.retain(|(_, column), _| column.code() != "MT");
        write_site(&[&next], out.path()).expect("a disk");
        assert!(!told.exists() && out.path().join("CNAME").is_file());
        assert_eq!(write_site(&[], out.path()).expect("a disk"), 0);
        assert!(out.path().join("index.html").is_file() && !before.is_empty());
    }

    #[test]
    fn every_link_of_a_site_leads_to_a_file_of_it() {
        let release = fixture::release();
        let site = Site::of(&[&release]).expect("a release");
        let mut known: BTreeSet<String> = site.addresses().iter().map(|at| at.path()).collect();
        known.extend(site::assets().into_iter().map(|asset| asset.path));
        known.extend(
            site.pictures()
                .map(|(stem, ..)| format!("images/{stem}.svg")),
        );
        let folder = format!("releases/{}/", release.id);
        let files = crate::publish::files(&release).into_iter();
        let signed = [SUMS, SIGNATURE, PUBLIC_KEY].map(str::to_owned);
        let names = files.map(|(name, _)| name).chain(signed);
        known.extend(names.map(|name| folder.clone() + &name));
        let two = [Language::En, Language::Zh];
        let some = site.addresses().into_iter();
        for address in some.filter(|address| two.contains(&address.language)) {
            let page = site.page(address).expect("a page");
            let from = address.path();
            for part in page.split(['<']).filter(|tag| !tag.starts_with("use ")) {
                let Some((_, rest)) = part
                    .split_once(" href=\"")
                    .or_else(|| part.split_once(" src=\""))
                else {
                    continue;
                };
                let to = rest.split('"').next().expect("a value");
                if to.starts_with("https://") || to.starts_with('#') {
                    continue;
                }
                let mut at: Vec<&str> = from.split('/').collect();
                at.pop();
                for step in to.split('/') {
                    match step {
                        ".." => assert!(at.pop().is_some(), "{from}: {to}"),
                        step => at.push(step),
                    }
                }
                assert!(known.contains(&at.join("/")), "{from} leads to {to}");
            }
        }
    }
}
