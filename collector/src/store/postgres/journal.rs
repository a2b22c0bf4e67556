//! Journal: SQL.
//!
//! Everything that an append asks stands in one view of the moment after its door was locked: what is
//! there, which weeks are open, which keys are known. Whoever closes a week or takes a home out holds all
//! doors, so none of this changes before the commit. What other collectors append at the same time
//! does not show, and two things can collide: the same batch, and the last place a home has. Both are
//! unique in the table; rows that collide are not inserted, the count falls short, and the whole
//! transaction begins again and finds what the other one committed. That one's row, with its receipt,
//! is what both answer.
//!
//! Even an answer that only repeats a receipt waits for the synchronous standby: the door's lock is
//! written and committed after the row it repeats.

use super::fault::Fault;
use super::session::{Session, Turn, Values};
use super::{Postgres, bytes, damaged, monday};
use crate::geo::network::{Asn, Origin};
use crate::store::{
    Appended, Attempt, BatchToken, HOME_WEEK_BATCHES_MAX, HomeToken, JournalRow, Slice, StoreError,
};
use phonehome_proto::id::Hash;
use phonehome_proto::net::Country;
use phonehome_proto::time::{Day, Week};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

const READ_OPEN: &str = "SELECT week FROM weeks WHERE week = ANY ($1) AND state = 'open'";
/// Joined by home, as all that is asked of homes.
const READ_KEYS: &str = "
    SELECT keys.key_hash FROM keys JOIN homes ON homes.home = keys.home
    WHERE keys.key_hash = ANY ($1) AND homes.state = 'admitted'";
const READ: &str = "
    SELECT journal.home_token, journal.batch_token, journal.week, payload_hash, country, network,
      on_probation, sealed
    FROM unnest($1::bytea[], $2::bytea[], $3::integer[]) AS asked (home_token, batch_token, week)
    JOIN journal ON journal.home_token = asked.home_token
      AND journal.batch_token = asked.batch_token AND journal.week = asked.week";
const READ_NUMBERS: &str = "
    SELECT journal.home_token, journal.week, max(journal.number)
    FROM unnest($1::bytea[], $2::integer[]) AS asked (home_token, week)
    JOIN journal ON journal.home_token = asked.home_token AND journal.week = asked.week
    GROUP BY journal.home_token, journal.week";
const INSERT: &str = "
    INSERT INTO journal (home_token, batch_token, week, number, payload_hash, country, network,
      on_probation, sealed)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::integer[], $4::integer[], $5::bytea[], $6::text[],
      $7::bigint[], $8::boolean[], $9::bytea[])
    ON CONFLICT DO NOTHING";
const READ_PAGE: &str = "
    SELECT home_token, batch_token, week, payload_hash, country, network, on_probation, sealed
    FROM journal
    WHERE week = $1 AND (home_token, batch_token) > ($2, $3) AND home_token <= $4
    ORDER BY home_token, batch_token LIMIT 128";

/// What identifies a row.
type Key = (HomeToken, BatchToken, Week);

/// What the database says about a list of attempts.
struct View {
    open: BTreeSet<i32>,
    keys: BTreeSet<Vec<u8>>,
    rows: BTreeMap<Key, JournalRow>,
    numbers: BTreeMap<(HomeToken, Week), u32>,
}

impl Postgres {
    pub(in crate::store) async fn append(
        &self,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Appended>, StoreError> {
        self.pool
            .transact("append", Turn::Door, attempts, |session, attempts| {
                Box::pin(append(session, attempts))
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
        let asked = (week, slice, after, bytes_max);
        self.pool
            .transact("journal_page", Turn::Read, asked, |session, asked| {
                Box::pin(page(session, asked))
            })
            .await
    }
}

async fn append(session: &Session, attempts: &[Attempt]) -> Result<Vec<Appended>, Fault> {
    let view = View::of(session, attempts).await?;
    let (answers, fresh) = view.decide(attempts);
    if insert(session, fresh).await? {
        Ok(answers)
    } else {
        Err(Fault::Raced)
    }
}

impl View {
    /// Asked in one go; each statement sees at least what was committed when the door was locked.
    async fn of(session: &Session, attempts: &[Attempt]) -> Result<Self, Fault> {
        let keys: BTreeSet<Key> = attempts.iter().map(key).collect();
        let homes: BTreeSet<(HomeToken, Week)> = keys.iter().map(|key| (key.0, key.2)).collect();
        let weeks: BTreeSet<i32> = keys.iter().map(|key| monday(key.2)).collect();
        let weeks: Vec<i32> = weeks.into_iter().collect();
        let signers: BTreeSet<&[u8]> = attempts
            .iter()
            .filter_map(|attempt| match attempt {
                Attempt::Append { key_hash, .. } => Some(&key_hash.as_bytes()[..]),
                Attempt::Look { .. } => None,
            })
            .collect();
        let signers: Vec<&[u8]> = signers.into_iter().collect();
        let tokens: Vec<&[u8]> = keys.iter().map(|key| &key.0.0[..]).collect();
        let batches: Vec<&[u8]> = keys.iter().map(|key| &key.1.0[..]).collect();
        let key_weeks: Vec<i32> = keys.iter().map(|key| monday(key.2)).collect();
        let home_tokens: Vec<&[u8]> = homes.iter().map(|(home, _)| &home.0[..]).collect();
        let home_weeks: Vec<i32> = homes.iter().map(|(_, week)| monday(*week)).collect();
        let row_keys: Values<'_> = &[&tokens, &batches, &key_weeks];
        let home_keys: Values<'_> = &[&home_tokens, &home_weeks];
        let (open, known, rows, numbers) = tokio::try_join!(
            async { session.rows(READ_OPEN, &[&weeks]).await },
            async { session.rows(READ_KEYS, &[&signers]).await },
            async { session.rows(READ, row_keys).await },
            async { session.rows(READ_NUMBERS, home_keys).await },
        )?;
        let mut view = Self {
            open: BTreeSet::new(),
            keys: BTreeSet::new(),
            rows: BTreeMap::new(),
            numbers: BTreeMap::new(),
        };
        for row in open {
            view.open.insert(row.try_get(0)?);
        }
        for row in known {
            view.keys.insert(row.try_get(0)?);
        }
        for row in rows {
            let row = journal_row(&row)?;
            view.rows.insert((row.home, row.batch, row.week), row);
        }
        for row in numbers {
            let last: i32 = row.try_get(2)?;
            let last = u32::try_from(last).map_err(|_| Fault::Damaged("a number below zero"))?;
            let home = (HomeToken(bytes(&row, 0)?), week_of(row.try_get(1)?)?);
            view.numbers.insert(home, last);
        }
        Ok(view)
    }

    /// One answer for each attempt, in order, and the rows that are to be inserted, each with its
    /// number. An attempt sees what those before it did.
    fn decide(mut self, attempts: &[Attempt]) -> (Vec<Appended>, Vec<(JournalRow, u32)>) {
        let mut fresh = BTreeMap::new();
        let answers = attempts
            .iter()
            .map(|attempt| {
                if let Some(row) = self.rows.get(&key(attempt)) {
                    let (.., payload_hash) = attempt.key();
                    return if row.payload_hash == payload_hash {
                        Appended::Repeated(row.clone())
                    } else {
                        Appended::Conflict
                    };
                }
                let Attempt::Append { row, key_hash } = attempt else {
                    return Appended::Closed;
                };
                if !self.open.contains(&monday(row.week)) {
                    return Appended::Closed;
                }
                if !self.keys.contains(&key_hash.as_bytes()[..]) {
                    return Appended::Stranger;
                }
                let last = self.numbers.entry((row.home, row.week)).or_default();
                if *last >= HOME_WEEK_BATCHES_MAX {
                    return Appended::Full;
                }
                *last += 1;
                fresh.insert(key(attempt), (row.clone(), *last));
                self.rows.insert(key(attempt), row.clone());
                Appended::Fresh
            })
            .collect();
        // In the order of the index, so that two that insert the same rows meet at the first of them.
        (answers, fresh.into_values().collect())
    }
}

/// Whether all of these were inserted.
async fn insert(session: &Session, fresh: Vec<(JournalRow, u32)>) -> Result<bool, Fault> {
    if fresh.is_empty() {
        return Ok(true);
    }
    let column = |value: fn(&JournalRow) -> &[u8]| -> Vec<&[u8]> {
        fresh.iter().map(|(row, _)| value(row)).collect()
    };
    let (homes, batches) = (column(|row| &row.home.0), column(|row| &row.batch.0));
    let hashes = column(|row| row.payload_hash.as_bytes());
    let sealed = column(|row| &row.sealed);
    let weeks: Vec<i32> = fresh.iter().map(|(row, _)| monday(row.week)).collect();
    let numbers = fresh.iter().map(|(_, number)| i32::try_from(*number));
    let numbers: Result<Vec<i32>, _> = numbers.collect();
    let numbers = numbers.expect("a home has at most 512");
    let origins = || fresh.iter().map(|(row, _)| row.origin.as_ref());
    let countries: Vec<Option<&str>> = origins()
        .map(|origin| origin.map(|origin| origin.country.as_str()))
        .collect();
    let networks: Vec<Option<i64>> = origins()
        .map(|origin| origin.map(|origin| i64::from(origin.network.0)))
        .collect();
    let on_probation: Vec<bool> = fresh.iter().map(|(row, _)| row.is_on_probation).collect();
    let inserted = session
        .change(
            INSERT,
            &[
                &homes,
                &batches,
                &weeks,
                &numbers,
                &hashes,
                &countries,
                &networks,
                &on_probation,
                &sealed,
            ],
        )
        .await?;
    Ok(usize::try_from(inserted) == Ok(fresh.len()))
}

/// The rows under these keys, in no order.
pub(super) async fn read(
    session: &Session,
    keys: impl Iterator<Item = Key>,
) -> Result<Vec<JournalRow>, Fault> {
    let keys: Vec<Key> = keys.collect();
    let tokens: Vec<&[u8]> = keys.iter().map(|key| &key.0.0[..]).collect();
    let batches: Vec<&[u8]> = keys.iter().map(|key| &key.1.0[..]).collect();
    let weeks: Vec<i32> = keys.iter().map(|key| monday(key.2)).collect();
    let rows = session.rows(READ, &[&tokens, &batches, &weeks]).await?;
    rows.iter().map(journal_row).collect()
}

/// Inserts rows that another store accepted; whether all of them were new.
pub(super) async fn adopt(session: &Session, rows: Vec<JournalRow>) -> Result<bool, Fault> {
    let attempts: Vec<Attempt> = rows
        .iter()
        .map(|row| Attempt::Look {
            week: row.week,
            home: row.home,
            batch: row.batch,
            payload_hash: row.payload_hash,
        })
        .collect();
    let mut numbers = View::of(session, &attempts).await?.numbers;
    let numbered = rows.into_iter().map(|row| {
        let last = numbers.entry((row.home, row.week)).or_default();
        *last += 1;
        (row, *last)
    });
    insert(session, numbered.collect()).await
}

async fn page(
    session: &Session,
    (week, slice, after, bytes_max): &(Week, Slice, Option<(HomeToken, BatchToken)>, usize),
) -> Result<Vec<JournalRow>, Fault> {
    let (low, high) = slice.bounds();
    // Empty bytes sort before every token: the slice's first home is not skipped.
    let (mut home, mut batch) = after.map_or_else(
        || (low.0.to_vec(), Vec::new()),
        |(home, batch)| (home.0.to_vec(), batch.0.to_vec()),
    );
    let (mut page, mut bytes) = (Vec::new(), 0);
    loop {
        let values: Values<'_> = &[&monday(*week), &home, &batch, &&high.0[..]];
        let rows = session.rows(READ_PAGE, values).await?;
        if rows.is_empty() {
            return Ok(page);
        }
        for row in &rows {
            let row = journal_row(row)?;
            bytes += row.sealed.len();
            if bytes > *bytes_max && !page.is_empty() {
                return Ok(page);
            }
            page.push(row);
        }
        let last: &JournalRow = page.last().expect("rows came");
        (home, batch) = (last.home.0.to_vec(), last.batch.0.to_vec());
    }
}

const fn key(attempt: &Attempt) -> Key {
    let (week, home, batch, _) = attempt.key();
    (home, batch, week)
}

fn journal_row(row: &Row) -> Result<JournalRow, Fault> {
    let (country, network): (Option<&str>, Option<i64>) = (row.try_get(4)?, row.try_get(5)?);
    let origin = match (country, network) {
        (Some(country), Some(network)) => {
            let country = Country::parse(country).ok_or_else(|| damaged("not a country"))?;
            let network = u32::try_from(network).map_err(|_| damaged("not a network"))?;
            Some(Origin {
                country,
                network: Asn(network),
            })
        }
        _ => None,
    };
    Ok(JournalRow {
        home: HomeToken(bytes(row, 0)?),
        batch: BatchToken(bytes(row, 1)?),
        week: week_of(row.try_get(2)?)?,
        payload_hash: Hash::new(bytes(row, 3)?),
        origin,
        is_on_probation: row.try_get(6)?,
        sealed: row.try_get(7)?,
    })
}

/// The week whose Monday this is.
pub(super) fn week_of(monday: i32) -> Result<Week, Fault> {
    let day = u32::try_from(monday).ok().and_then(Day::new);
    let week = day.map(Day::week);
    week.filter(|week| Some(week.monday()) == day)
        .ok_or_else(|| damaged("not a Monday"))
}
