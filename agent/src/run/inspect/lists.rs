//! The lists that `--list` names, loaded.
//!
//! Takes files, gives for a server's name the lists that name it. A list is called as its file was
//! given. All or nothing: the first fault of the first wrong list ends the command.

use crate::lists::{self, NameList};
use crate::run::{Exit, Failure};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Lists of one command.
const LISTS_MAX: usize = 16;

/// Lists, each with the file it came from.
pub(super) struct Lists(Vec<(String, NameList)>);

impl Lists {
    /// Loads them; `None` if none was asked for. What of them is not used is said on `err`.
    pub(super) fn open(paths: &[PathBuf], err: &mut dyn Write) -> Result<Option<Self>, Failure> {
        if paths.is_empty() {
            return Ok(None);
        }
        if paths.len() > LISTS_MAX {
            let sentence = format!("at most {LISTS_MAX} lists can be loaded at once");
            return Err(Failure::new(Exit::BadInput, sentence));
        }
        let mut opened = Vec::new();
        for path in paths {
            let list = load(path)?;
            let path = path.to_string_lossy().into_owned();
            if list.left_out() > 0 {
                let count = list.left_out();
                writeln!(
                    err,
                    "{path}: rules that name no whole host are left out: {count}"
                )?;
            }
            opened.push((path, list));
        }
        Ok(Some(Self(opened)))
    }

    /// The lists that name this host.
    pub(super) fn naming(&self, host: Option<&str>) -> Vec<&str> {
        let Some(host) = host else { return Vec::new() };
        let naming = self.0.iter().filter(|(_, list)| list.names(host));
        naming.map(|(path, _)| path.as_str()).collect()
    }
}

fn load(path: &Path) -> Result<NameList, Failure> {
    let bytes = read(path).map_err(|error| {
        let sentence = format!("the list {} cannot be read: {error}", path.display());
        Failure::new(Exit::BadInput, sentence)
    })?;
    NameList::read(&bytes).map_err(|refused| {
        let sentence = format!("the list {} is refused: {refused}", path.display());
        Failure::new(Exit::BadInput, sentence)
    })
}

/// The file's bytes; of one that is too long, one more than a list may have.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = lists::BYTES_MAX as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
