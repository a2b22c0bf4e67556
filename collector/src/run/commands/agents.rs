//! `agents`: who may report. Works while `serve` runs, which sees each change with its next look.

use super::{Format, Found};
use crate::registry::InviteOrder;
use crate::revocation::RevocationError;
use crate::run::RunError;
use crate::run::ground::Ground;
use crate::store::{Approved, HomeRow, RevokedHome, Standing, StoreError, WeekState};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::{HomeId, from_hex};
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::time::{Day, Timestamp};
use std::fmt::Write as _;
use std::str::FromStr;
use thiserror::Error;

/// The first digits of a home's id, as many as tell it from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeDigits {
    /// The lowest id that begins so.
    first: HomeId,
    /// The highest.
    last: HomeId,
}

/// A text that is no beginning of a home's id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "a home is named by the first digits of its id, 8 to 64 of them, as 'agents list' prints it"
)]
pub struct NotHomeDigits;

/// Which homes `agents list` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Only those behind this one.
    pub after: Option<HomeDigits>,
    /// Only those in this state.
    pub state: Option<State>,
    /// So many at most; 0: all.
    pub limit: usize,
}

/// A home's state, as the operator reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for `agents approve`.
    Pending,
    /// Reports; what it reports of its first days counts in nothing.
    Probation,
    /// Reports.
    Admitted,
    /// Taken out.
    Revoked,
}

/// Hex digits of a home in a list: enough to tell homes apart, too few to be its identifier.
const SHORT_DIGITS: usize = 12;

/// Fewer digits would sooner or later mean somebody else.
const DIGITS_MIN: usize = 8;

/// `agents invite`: one invite a line.
///
/// # Errors
/// When the store fails.
pub async fn invite(
    ground: &Ground,
    order: InviteOrder,
    now: Timestamp,
) -> Result<Found, RunError> {
    let authority = &ground.config.intake.public_address;
    let mut chance = ground.chance.clone();
    let invites = ground
        .registry()
        .invite(order, authority, &ground.identity, &mut chance, now)
        .await?;
    Ok(Found::good(
        invites.iter().map(|invite| format!("{invite}\n")).collect(),
    ))
}

/// `agents invite --public`: the invite for everybody, where there is one.
#[must_use]
pub fn invite_everybody(ground: &Ground) -> Found {
    let mode = ground.config.enrolment;
    if mode == EnrolmentMode::Invite {
        return Found::finding(
            "this collector takes nobody in without an invite of their own: its 'enrolment.mode' is \
             \"invite\"\n"
                .to_owned(),
        );
    }
    let invite = Invite {
        authority: ground.config.intake.public_address.clone(),
        collector_key: ground.identity.public(),
        token: None,
    };
    Found::good(format!("{invite}\n"))
}

/// `agents list`: every home, the day it came, its state, and how many keys speak for it: one, and those
/// it has replaced until their weeks are final. Nothing else is kept; a home that withdrew is not there.
///
/// # Errors
/// When the store fails.
pub async fn list(
    ground: &Ground,
    listing: Listing,
    format: Format,
    now: Timestamp,
) -> Result<Found, RunError> {
    let today = now.day().unwrap_or(Day::LAST);
    let limit = if listing.limit == 0 {
        usize::MAX
    } else {
        listing.limit
    };
    let (mut rows, mut is_more): (Vec<HomeRow>, bool) = (Vec::new(), false);
    let mut after = listing.after.map(|after| after.last);
    'pages: loop {
        let page = ground.registry().homes(after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.home);
        for row in page {
            if listing
                .state
                .is_some_and(|state| state != State::of(row.standing, today))
            {
                continue;
            }
            if rows.len() == limit {
                is_more = true;
                break 'pages;
            }
            rows.push(row);
        }
    }
    let next = rows.last().map(|row| row.home).filter(|_| is_more);
    Ok(Found::good(match format {
        Format::Table => table(&rows, next, today),
        Format::Json => json(&rows, next, today),
    }))
}

fn table(rows: &[HomeRow], next: Option<HomeId>, today: Day) -> String {
    let mut text = format!(
        "{:<SHORT_DIGITS$}  {:<10}  {:<27}  keys\n",
        "home", "enrolled", "state"
    );
    for row in rows {
        let state = match (State::of(row.standing, today), row.standing) {
            (
                State::Probation,
                Standing::Admitted {
                    counted_from: Some(first),
                },
            ) => {
                format!("counts from {first} on")
            }
            (state, _) => state.as_str().to_owned(),
        };
        let (home, day, keys) = (short(row.home), row.enrolled, row.keys);
        writeln!(text, "{home}  {day}  {state:<27}  {keys}").expect("a string takes text");
    }
    if let Some(next) = next {
        writeln!(text, "more: --after {}", short(next)).expect("a string takes text");
    }
    text
}

fn json(rows: &[HomeRow], next: Option<HomeId>, today: Day) -> String {
    let row = |row: &HomeRow| {
        let counted_from = match row.standing {
            Standing::Admitted { counted_from } => counted_from,
            Standing::Pending | Standing::Revoked => None,
        };
        serde_json::json!({
            "home": row.home.to_hex(),
            "enrolled": row.enrolled.to_string(),
            "state": State::of(row.standing, today).as_str(),
            "counted_from": counted_from.map(|day| day.to_string()),
            "keys": row.keys,
        })
    };
    let homes: Vec<_> = rows.iter().map(row).collect();
    let next = next.map(|home| home.to_hex());
    format!(
        "{:#}\n",
        serde_json::json!({ "homes": homes, "next": next })
    )
}

/// `agents approve HOME...`: all of them, or none if one cannot be told from others.
///
/// # Errors
/// When the store fails.
pub async fn approve(ground: &Ground, homes: &[HomeDigits]) -> Result<Found, RunError> {
    let homes = match resolve(ground, homes).await? {
        Ok(homes) => homes,
        Err(finding) => return Ok(finding),
    };
    let answers = ground.store.approve(homes.clone()).await?;
    let mut found = Found::default();
    for (home, answer) in homes.into_iter().zip(answers) {
        let what = match answer {
            Approved::Now => "approved",
            Approved::Before => "was in before",
            Approved::Revoked => "was revoked, which is for good: it can come back under a new key",
            Approved::Unknown => "has left meanwhile",
        };
        found.is_finding |= matches!(answer, Approved::Revoked | Approved::Unknown);
        writeln!(found.text, "{}: {what}", short(home)).expect("a string takes text");
    }
    Ok(found)
}

/// `agents revoke HOME...`: all of them, or none if one cannot be told from others. For good.
///
/// # Errors
/// When the store or a week's key fails.
pub async fn revoke(
    ground: &Ground,
    homes: &[HomeDigits],
    now: Timestamp,
) -> Result<Found, RunError> {
    let homes = match resolve(ground, homes).await? {
        Ok(homes) => homes,
        Err(finding) => return Ok(finding),
    };
    let revocations = ground.revocations(ground.keys());
    let answers = revocations.revoke(&homes, now).await?;
    let mut found = Found::default();
    for (home, answer) in homes.into_iter().zip(answers) {
        let what = match answer {
            RevokedHome::Now(batches) => format!("revoked; batches erased: {batches}"),
            RevokedHome::Before => "was revoked before".to_owned(),
            RevokedHome::Unknown => "has left meanwhile".to_owned(),
        };
        found.is_finding |= answer == RevokedHome::Unknown;
        writeln!(found.text, "{}: {what}", short(home)).expect("a string takes text");
    }
    for row in ground.store.weeks().await? {
        if row.state == WeekState::Released && row.revocations > 0 {
            let week = row.week;
            let sentence = "was released with homes that are revoked: until it is final, it can be counted \
                            once more without them";
            writeln!(found.text, "{week} {sentence}: release {week} --revise")
                .expect("a string takes text");
        }
    }
    Ok(found)
}

/// The homes that these digits name, each once; or what is wrong with them.
async fn resolve(
    ground: &Ground,
    wanted: &[HomeDigits],
) -> Result<Result<Vec<HomeId>, Found>, StoreError> {
    let (mut homes, mut wrong) = (Vec::new(), String::new());
    for digits in wanted {
        let page = ground.registry().homes(before(digits.first)).await?;
        let fitting = page.iter().take_while(|row| row.home <= digits.last);
        match *fitting.map(|row| row.home).take(2).collect::<Vec<_>>() {
            [home] if homes.contains(&home) => {}
            [home] => homes.push(home),
            [] => writeln!(wrong, "{}: there is no such home", short(digits.first))
                .expect("a string takes text"),
            _ => writeln!(wrong, "{}: several homes begin so", short(digits.first))
                .expect("a string takes text"),
        }
    }
    if wrong.is_empty() {
        Ok(Ok(homes))
    } else {
        wrong.push_str("nothing was changed\n");
        Ok(Err(Found::finding(wrong)))
    }
}

/// The id before this one; `None` before the first.
fn before(home: HomeId) -> Option<HomeId> {
    let mut bytes = *home.as_bytes();
    for byte in bytes.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            return Some(HomeId::new(bytes));
        }
    }
    None
}

fn short(home: HomeId) -> String {
    let mut digits = home.to_hex();
    digits.truncate(SHORT_DIGITS);
    digits
}

// === impl HomeDigits ===

impl FromStr for HomeDigits {
    type Err = NotHomeDigits;

    fn from_str(text: &str) -> Result<Self, NotHomeDigits> {
        let is_beginning = (DIGITS_MIN..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let filled = |with: char| {
            let digits: String = text
                .chars()
                .chain(std::iter::repeat(with))
                .take(64)
                .collect();
            from_hex(&digits).and_then(|bytes| HomeId::from_slice(&bytes))
        };
        match (is_beginning, filled('0'), filled('f')) {
            (true, Some(first), Some(last)) => Ok(Self { first, last }),
            _ => Err(NotHomeDigits),
        }
    }
}

// === impl State ===

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Probation,
        Self::Admitted,
        Self::Revoked,
    ];

    /// The state of a home that stands so.
    #[must_use]
    pub fn of(standing: Standing, today: Day) -> Self {
        match standing {
            Standing::Pending => Self::Pending,
            Standing::Admitted {
                counted_from: Some(first),
            } if today < first => Self::Probation,
            Standing::Admitted { .. } => Self::Admitted,
            Standing::Revoked => Self::Revoked,
        }
    }

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Probation => "probation",
            Self::Admitted => "admitted",
            Self::Revoked => "revoked",
        }
    }
}

impl From<RevocationError> for RunError {
    fn from(error: RevocationError) -> Self {
        match error {
            RevocationError::Store(error) => error.into(),
            RevocationError::Ledger(error) => error.into(),
            error => Self::Revocation(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_named_by_its_first_digits() {
        let digits: HomeDigits = "00ab00cd0".parse().expect("nine digits");
        assert_eq!(&digits.first.as_bytes()[..5], [0, 0xab, 0, 0xcd, 0]);
        assert_eq!(&digits.last.as_bytes()[..5], [0, 0xab, 0, 0xcd, 0x0f]);
        let whole = "7F".repeat(32).parse::<HomeDigits>().expect("64 digits");
        assert_eq!(whole.first, whole.last);
        for wrong in [
            "",
            "1234567",
            "1234567x",
            &"7f".repeat(33),
            "\u{e9}23456789",
        ] {
            assert_eq!(wrong.parse::<HomeDigits>(), Err(NotHomeDigits), "{wrong}");
        }
    }

    #[test]
    fn the_id_before_another_is_the_one_before() {
        let id = |last: &[u8]| {
            let mut bytes = [0; 32];
            bytes[32 - last.len()..].copy_from_slice(last);
            HomeId::new(bytes)
        };
        assert_eq!(before(id(&[0])), None);
        assert_eq!(before(id(&[1])), Some(id(&[0])));
        assert_eq!(before(id(&[1, 0, 0])), Some(id(&[0xff, 0xff])));
    }
}
