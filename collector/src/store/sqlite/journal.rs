//! Journal: SQL.

use super::{Sqlite, damaged};
use crate::geo::network::{Asn, Origin};
use crate::store::{
    Appended, Attempt, BatchToken, HOME_WEEK_BATCHES_MAX, HomeToken, JournalRow, Slice, StoreError,
};
use phonehome_proto::id::Hash;
use phonehome_proto::net::Country;
use phonehome_proto::time::Week;
use rusqlite::{OptionalExtension, Row, Transaction, params};

const IS_OPEN: &str = "SELECT count(*) FROM weeks WHERE week = ?1 AND state = 'open'";
const IS_KEY: &str = "SELECT count(*) FROM keys WHERE key_hash = ?1";
pub(super) const COUNT_HOME: &str =
    "SELECT count(*) FROM journal WHERE week = ?1 AND home_token = ?2";
const INSERT: &str = "
    INSERT INTO journal (week, home_token, batch_token, payload_hash, country, network, sealed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const READ: &str = "
    SELECT home_token, batch_token, payload_hash, country, network, sealed
    FROM journal WHERE week = ?1 AND home_token = ?2 AND batch_token = ?3";
const READ_PAGE: &str = "
    SELECT home_token, batch_token, payload_hash, country, network, sealed
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
                attempts
                    .into_iter()
                    .map(|attempt| append(transaction, attempt))
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

fn append(transaction: &Transaction<'_>, attempt: Attempt) -> rusqlite::Result<Appended> {
    let (week, home, batch, payload_hash) = attempt.key();
    let monday = week.monday().number();
    let found = transaction
        .prepare_cached(READ)?
        .query_row(params![monday, home.0, batch.0], |row| {
            journal_row(week, row)
        })
        .optional()?;
    if let Some(row) = found {
        let same = row.payload_hash == payload_hash;
        return Ok(if same {
            Appended::Repeated(row)
        } else {
            Appended::Conflict
        });
    }
    let Attempt::Append { row, key_hash } = attempt else {
        return Ok(Appended::Closed);
    };
    // Asked inside the transaction: nothing is appended to a week while it is being closed.
    let open: u32 = transaction
        .prepare_cached(IS_OPEN)?
        .query_row(params![monday], |row| row.get(0))?;
    if open == 0 {
        return Ok(Appended::Closed);
    }
    // Asked inside the transaction: nothing is appended of a home that withdrew meanwhile.
    let known: u32 = transaction
        .prepare_cached(IS_KEY)?
        .query_row(params![key_hash.as_bytes()], |row| row.get(0))?;
    if known == 0 {
        return Ok(Appended::Stranger);
    }
    let held: u32 = transaction
        .prepare_cached(COUNT_HOME)?
        .query_row(params![monday, home.0], |row| row.get(0))?;
    if held >= HOME_WEEK_BATCHES_MAX {
        return Ok(Appended::Full);
    }
    transaction.prepare_cached(INSERT)?.execute(params![
        monday,
        row.home.0,
        row.batch.0,
        row.payload_hash.as_bytes(),
        row.origin.as_ref().map(|origin| origin.country.as_str()),
        row.origin.map(|origin| origin.network.0),
        row.sealed,
    ])?;
    Ok(Appended::Fresh)
}

fn journal_row(week: Week, row: &Row<'_>) -> rusqlite::Result<JournalRow> {
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
        sealed: row.get(5)?,
    })
}
