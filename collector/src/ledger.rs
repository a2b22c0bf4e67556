//! The ledger's copy: every link, signed, in a file that is not in the database and in none of its
//! backups.
//!
//! A database that was put back from a backup knows nothing of what happened since: homes that withdrew
//! would be back, and weeks that are over would begin again. This file knows. What holds here:
//! - **Before anybody is told.** A withdrawal's receipt is handed out when its link is in the file,
//!   durably.
//! - **It only grows.** Each line holds the hash of all before it, and the collector's signature; of a
//!   line torn by a power cut nothing was told yet, and it is written anew.
//! - **Twice counted.** How many links there are, and the last one's hash, stand beside the week keys
//!   too: an older copy of the file is seen to be one.
//! - **A collector does not begin over a database that is older** than either of them.
//!
//! Of a home that left, a link says the day and an HMAC under a key that grows from the identity: the
//! file alone tells nothing of anybody.

mod line;

pub use line::Header;

use crate::identity::Identity;
use crate::store::{LedgerRow, Store, StoreError};
use phonehome_proto::id::{Hash, from_hex};
use phonehome_proto::time::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// The copy, and where it is counted. Clones write to the same one.
#[derive(Clone, Debug)]
pub struct LedgerCopy {
    identity: Arc<Identity>,
    path: Arc<PathBuf>,
    counter: Arc<PathBuf>,
    /// Where the file ended when this process looked last.
    end: Arc<Mutex<Option<End>>>,
}

/// The last link: how many there are, and what all of them hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last link's number; 0 before the first.
    pub number: u64,
    /// The last link's hash.
    pub hash: Hash,
}

/// Why the copy was not read or written.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused.
    #[error("the ledger's file {} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds what this collector did not write there.
    #[error("line {line} of {} is not what this collector wrote there: put the right file back", path.display())]
    Altered {
        /// Which file.
        path: PathBuf,
        /// The first line that is wrong, from 1.
        line: u64,
    },
    /// The database lacks links: it is older.
    #[error(
        "the database does not know link {0} of the ledger, so it is an older one, in which homes that \
         left since would be back: move it away and bring it in with 'restore'"
    )]
    Older(u64),
    /// The database has another link of this number.
    #[error("link {0} of the ledger is another one in the database: they do not belong together")]
    Parted(u64),
}

/// Where a file of whole lines ends.
#[derive(Clone, Debug)]
struct End {
    last: Option<LedgerRow>,
    bytes: u64,
}

/// The counter's name, in the folder of the week keys.
pub const COUNTER: &str = "ledger.head";

impl LedgerCopy {
    /// The copy in the file at `path`, counted in the folder `keys`.
    #[must_use]
    pub fn new(path: PathBuf, keys: &Path, identity: Arc<Identity>) -> Self {
        Self {
            identity,
            path: Arc::new(path),
            counter: Arc::new(keys.join(COUNTER)),
            end: Arc::default(),
        }
    }

    /// Brings the file up to what the store holds, when a collector begins. Gives the last link.
    ///
    /// # Errors
    /// [`LedgerError::Older`] if the store lacks what the file or the counter holds; then nothing is
    /// changed.
    pub async fn take_up(&self, store: &Store) -> Result<Head, LedgerError> {
        let copied = read(&self.path, &self.identity)?.last().map(Head::of);
        let counted = self.counted()?;
        for head in [copied, counted].into_iter().flatten() {
            if head.number > 0 {
                let found = store.ledger_after(head.number - 1).await?;
                match found.first().map(Head::of) {
                    None => return Err(LedgerError::Older(head.number)),
                    Some(found) if found != head => return Err(LedgerError::Parted(head.number)),
                    Some(_) => {}
                }
            }
        }
        self.follow(store).await
    }

    /// Writes what the store has and the file lacks; it is durable when this returns. Gives the last
    /// link.
    ///
    /// # Errors
    /// [`LedgerError`]; then what was told last may not be in the file, and nobody may be told of it.
    pub async fn follow(&self, store: &Store) -> Result<Head, LedgerError> {
        // One at a time: a second caller finds the work done.
        let mut end = self.end.lock().await;
        loop {
            let number = match &*end {
                Some(end) => end.last.as_ref().map_or(0, |last| last.number),
                None => 0,
            };
            let page = store.ledger_after(number).await?;
            if page.is_empty() && end.is_some() {
                let last = end.as_ref().and_then(|end| end.last.as_ref());
                return Ok(last.map_or(Head::NONE, Head::of));
            }
            let (copy, known) = (self.clone(), end.take());
            let written = tokio::task::spawn_blocking(move || copy.write(known, &page));
            *end = Some(written.await.expect("writing does not panic")?);
        }
    }

    /// Whether file and counter are where they were, with all that was written to them. A collector that is
    /// started anew writes them anew, as long as its database has every link.
    pub async fn is_whole(&self) -> bool {
        let end = self.end.lock().await;
        let Some(End { last, bytes }) = &*end else {
            return false;
        };
        let number = last.as_ref().map_or(0, |last| last.number);
        let length = fs::metadata(&*self.path).map_or(0, |file| file.len());
        let counted = self.counted().ok().flatten();
        // Commands of the operator write to both too.
        length >= *bytes && counted.is_some_and(|head| head.number >= number)
    }

    /// When the last link was made, as far as this process has followed.
    pub async fn last_at(&self) -> Option<Timestamp> {
        let end = self.end.lock().await;
        let last = end.as_ref().and_then(|end| end.last.as_ref());
        last.map(|link| link.at)
    }

    /// Adds those of `rows` that the file lacks.
    fn write(&self, known: Option<End>, rows: &[LedgerRow]) -> Result<End, LedgerError> {
        let fail = |source| self.failed(source);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(0o600).open(&*self.path).map_err(fail)?;
        // Commands of the operator write to it too.
        file.lock().map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        let mut end = match known {
            Some(end) if end.bytes == length => end,
            _ => self.find_end()?,
        };
        let header = Header::of(&self.identity);
        let mut text = String::new();
        if end.bytes == 0 {
            text = header.to_string();
        }
        for row in rows {
            let number = end.last.as_ref().map_or(0, |last| last.number);
            if row.number <= number {
                continue;
            }
            if LedgerRow::follow(end.last.as_ref(), row.at, row.event.clone()) != *row {
                return Err(LedgerError::Parted(row.number));
            }
            text.push_str(&header.line(row, &self.identity));
            end.last = Some(row.clone());
        }
        // What a power cut tore is written over.
        file.set_len(end.bytes).map_err(fail)?;
        file.seek(SeekFrom::Start(end.bytes)).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        if end.bytes == 0 {
            sync_folder(&self.path).map_err(fail)?;
        }
        end.bytes += text.len() as u64;
        let head = end.last.as_ref().map_or(Head::NONE, Head::of);
        self.count(head)?;
        if !rows.is_empty() {
            // Where the machine is lost, the log of another one says how long the ledger was.
            tracing::info!(links = head.number, "ledger written");
        }
        Ok(end)
    }

    fn find_end(&self) -> Result<End, LedgerError> {
        let mut end = End {
            last: None,
            bytes: 0,
        };
        walk(&self.path, &self.identity, |row, bytes| {
            end.bytes = bytes;
            end.last = row.or_else(|| end.last.take());
        })?;
        Ok(end)
    }

    /// What the counter says; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn counted(&self) -> Result<Option<Head>, LedgerError> {
        let text = match fs::read_to_string(&*self.counter) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.counter_failed(source)),
        };
        let head = text.trim_end().split_once(' ').and_then(|(number, hash)| {
            let hash = <[u8; 32]>::try_from(from_hex(hash)?).ok()?;
            Some(Head {
                number: number.parse().ok()?,
                hash: Hash::new(hash),
            })
        });
        let wrong = || self.counter_failed(io::ErrorKind::InvalidData.into());
        head.map(Some).ok_or_else(wrong)
    }

    /// Replaces the counter, whole.
    fn count(&self, head: Head) -> Result<(), LedgerError> {
        let fail = |source| self.counter_failed(source);
        let part = self.counter.with_extension("part");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&part).map_err(fail)?;
        let text = format!("{} {}\n", head.number, head.hash.to_hex());
        file.write_all(text.as_bytes()).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        fs::rename(&part, &*self.counter).map_err(fail)?;
        sync_folder(&self.counter).map_err(fail)
    }

    fn failed(&self, source: io::Error) -> LedgerError {
        let path = self.path.to_path_buf();
        LedgerError::File { path, source }
    }

    fn counter_failed(&self, source: io::Error) -> LedgerError {
        let path = self.counter.to_path_buf();
        LedgerError::File { path, source }
    }
}

impl Head {
    /// Before the first link.
    pub const NONE: Self = Self {
        number: 0,
        hash: Hash::new([0; 32]),
    };

    /// The head of a ledger that ends with this link.
    #[must_use]
    pub const fn of(row: &LedgerRow) -> Self {
        Self {
            number: row.number,
            hash: row.hash,
        }
    }
}

/// Every link in the file at `path`, checked; none if there is no file. A last line that was torn is not
/// counted.
///
/// # Errors
/// [`LedgerError::Altered`] if this collector did not write it so.
pub fn read(path: &Path, identity: &Identity) -> Result<Vec<LedgerRow>, LedgerError> {
    let mut rows = Vec::new();
    walk(path, identity, |row, _| rows.extend(row))?;
    Ok(rows)
}

/// Visits every whole line: its link (the first has none), and at which byte it ends. The last link's
/// signature covers all before it, so it is the only one that is checked.
fn walk(
    path: &Path,
    identity: &Identity,
    mut visit: impl FnMut(Option<LedgerRow>, u64),
) -> Result<(), LedgerError> {
    let fail = |source| LedgerError::File {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    let header = Header::of(identity);
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    let (mut number, mut bytes) = (0, 0);
    let altered = |line| LedgerError::Altered {
        path: path.to_owned(),
        line,
    };
    let mut last: Option<(LedgerRow, Vec<u8>)> = None;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(fail)?;
        if read == 0 || line.last() != Some(&b'\n') {
            break;
        }
        number += 1;
        bytes += read as u64;
        let text = std::str::from_utf8(&line).map_err(|_| altered(number))?;
        if number == 1 {
            if text != header.to_string() {
                return Err(altered(1));
            }
            visit(None, bytes);
            continue;
        }
        let (row, signature) = line::parse(text).ok_or_else(|| altered(number))?;
        let before = last.as_ref().map(|(row, _)| row);
        if LedgerRow::follow(before, row.at, row.event.clone()) != row {
            return Err(altered(number));
        }
        visit(Some(row.clone()), bytes);
        last = Some((row, signature));
    }
    match last {
        Some((row, signature)) if !header.is_signed(&row, &signature, identity) => {
            Err(altered(number))
        }
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
