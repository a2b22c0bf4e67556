//! Journal: SQL.

use super::{Sqlite, damaged};
use crate::geo::network::{Asn, Origin};
use crate::store::{
    Appended, Attempt, BatchToken, HOME_WEEK_BATCHES_MAX, HomeToken, JournalRow, Slice, StoreError,
};
use phonehome_proto::id::Hash;
use phonehome_proto::net::Country;
use phonehome_proto::time::Week;
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, params};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

const IS_OPEN: &str = "SELECT count(*) FROM weeks WHERE week = ?1 AND state = 'open'";
const MAY_REPORT: &str = "
    SELECT count(*) FROM keys JOIN homes ON homes.home = keys.home
    WHERE key_hash = ?1 AND state = 'admitted'";
pub(super) const COUNT_HOME: &str =
    "SELECT count(*) FROM journal WHERE week = ?1 AND home_token = ?2";
const INSERT: &str = "
    INSERT INTO journal
      (week, home_token, batch_token, payload_hash, country, network, sealed, on_probation)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT DO NOTHING";
pub(super) const READ: &str = "
    SELECT home_token, batch_token, payload_hash, country, network, sealed, on_probation
    FROM journal WHERE week = ?1 AND home_token = ?2 AND batch_token = ?3";
const READ_PAGE: &str = "
    SELECT home_token, batch_token, payload_hash, country, network, sealed, on_probation
    FROM journal
    WHERE week = ?1 AND (home_token, batch_token) > (?2, ?3) AND home_token <= ?4
    ORDER BY home_token, batch_token";

impl Sqlite {
    pub(in crate::store) async fn append(
        &self,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Appended>, StoreError> {
        self.writer
            .write("append", move |transaction| {
                let mut group = Group::default();
                attempts
                    .into_iter()
                    .map(|attempt| group.append(transaction, attempt))
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn journal_page(
        &self,
        week: Week,
        slice: Slice,
        after: Option<(HomeToken, BatchToken)>,
        bytes_max: usize,
    ) -> Result<Vec<JournalRow>, StoreError> {
        self.reader
            .read("journal_page", move |transaction| {
                let (low, high) = slice.bounds();
                // An empty blob sorts before every token: the slice's first home is not skipped.
                let (home, batch) = after.map_or_else(
                    || (low.0.to_vec(), Vec::new()),
                    |(home, batch)| (home.0.to_vec(), batch.0.to_vec()),
                );
                let mut read = transaction.prepare_cached(READ_PAGE)?;
                let mut rows = read.query(params![week.monday().number(), home, batch, high.0])?;
                let (mut page, mut bytes) = (Vec::new(), 0);
                while let Some(row) = rows.next()? {
                    let row = journal_row(week, row)?;
                    bytes += row.sealed.len();
                    if bytes > bytes_max && !page.is_empty() {
                        break;
                    }
                    page.push(row);
                }
                Ok(page)
            })
            .await
    }
}

/// What one transaction knows: nobody else changes it meanwhile.
#[derive(Default)]
struct Group {
    open: HashMap<Week, bool>,
    may_report: HashMap<Hash, bool>,
    held: HashMap<(Week, HomeToken), u32>,
}

impl Group {
    fn append(
        &mut self,
        transaction: &Transaction<'_>,
        attempt: Attempt,
    ) -> rusqlite::Result<Appended> {
        let (week, home, batch, payload_hash) = attempt.key();
        let refused = match attempt {
            Attempt::Append { row, key_hash } => {
                match self.refusal(transaction, (week, home), key_hash)? {
                    None if insert(transaction, &row)? => {
                        *self.held.entry((week, home)).or_default() += 1;
                        return Ok(Appended::Fresh);
                    }
                    refused => refused,
                }
            }
            Attempt::Look { .. } => Some(Appended::Closed),
        };
        // What is held gets its answer again, whatever may be appended now.
        let found = transaction
            .prepare_cached(READ)?
            .query_row(params![week.monday().number(), home.0, batch.0], |row| {
                journal_row(week, row)
            })
            .optional()?;
        Ok(match (found, refused) {
            (Some(row), _) if row.payload_hash == payload_hash => Appended::Repeated(row),
            (Some(_), _) => Appended::Conflict,
            (None, Some(refused)) => refused,
            (None, None) => return Err(damaged(2, "a row that is there and is not")),
        })
    }

    /// Why nothing new is appended of this home's key, if so. Asked inside the transaction: nothing is
    /// appended to a week while it is being closed, and nothing of a home that left meanwhile.
    fn refusal(
        &mut self,
        transaction: &Transaction<'_>,
        (week, home): (Week, HomeToken),
        key_hash: Hash,
    ) -> rusqlite::Result<Option<Appended>> {
        let ask = |question: &str, values: &[&dyn ToSql]| -> rusqlite::Result<u32> {
            let mut asked = transaction.prepare_cached(question)?;
            asked.query_row(values, |row| row.get(0))
        };
        let monday = week.monday().number();
        let is_open = match self.open.entry(week) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(ask(IS_OPEN, &[&monday])? > 0),
        };
        if !is_open {
            return Ok(Some(Appended::Closed));
        }
        let may_report = match self.may_report.entry(key_hash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(ask(MAY_REPORT, &[key_hash.as_bytes()])? > 0),
        };
        if !may_report {
            return Ok(Some(Appended::Stranger));
        }
        let held = match self.held.entry((week, home)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(ask(COUNT_HOME, &[&monday, &home.0])?),
        };
        Ok((held >= HOME_WEEK_BATCHES_MAX).then_some(Appended::Full))
    }
}

/// Whether the row is new.
fn insert(transaction: &Transaction<'_>, row: &JournalRow) -> rusqlite::Result<bool> {
    let inserted = transaction.prepare_cached(INSERT)?.execute(params![
        row.week.monday().number(),
        row.home.0,
        row.batch.0,
        row.payload_hash.as_bytes(),
        row.origin.as_ref().map(|origin| origin.country.as_str()),
        row.origin.map(|origin| origin.network.0),
        row.sealed,
        row.is_on_probation,
    ])?;
    Ok(inserted == 1)
}

pub(super) fn journal_row(week: Week, row: &Row<'_>) -> rusqlite::Result<JournalRow> {
    let (country, network): (Option<String>, Option<u32>) = (row.get(3)?, row.get(4)?);
    let origin = match (country, network) {
        (Some(country), Some(network)) => {
            let country = Country::parse(&country).ok_or_else(|| damaged(3, "not a country"))?;
            Some(Origin {
                country,
                network: Asn(network),
            })
        }
        _ => None,
    };
    Ok(JournalRow {
        week,
        home: HomeToken(row.get(0)?),
        batch: BatchToken(row.get(1)?),
        payload_hash: Hash::new(row.get(2)?),
        origin,
        is_on_probation: row.get(6)?,
        sealed: row.get(5)?,
    })
}
