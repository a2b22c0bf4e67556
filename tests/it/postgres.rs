//! What only a database that several collectors share can get wrong: races, lost answers, its schema.

mod encrypted;
mod moving;
mod races;
mod readiness;
mod schema;
mod standby;

use phonehome_collector::store::{
    Appended, Attempt, BatchToken, EnrolAttempt, Enrolled, HomeToken, InviteRow, JournalRow, Store,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::{Timestamp, Week};

/// The key of the home that everybody here reports for.
const KEY: [u8; 32] = [7; 32];

fn week() -> Week {
    "2026-W46".parse().expect("a week")
}

fn now() -> Timestamp {
    week().end()
}

/// A batch as one collector seals it: `seal` is what tells whose work it was.
fn attempt(home: u8, batch: u32, seal: u8) -> Attempt {
    let mut token = [0; 32];
    token[..4].copy_from_slice(&batch.to_be_bytes());
    let row = JournalRow {
        week: week(),
        home: HomeToken([home; 32]),
        batch: BatchToken(token),
        payload_hash: Hash::of(&batch.to_be_bytes()),
        origin: None,
        is_on_probation: false,
        sealed: vec![seal; 100],
    };
    Attempt::Append {
        row,
        key_hash: Hash::of(&KEY),
    }
}

/// What was appended, of whoever's sealing.
async fn held(store: &Store) -> Vec<JournalRow> {
    let page = store
        .journal_page(
            week(),
            phonehome_collector::store::Slice::WHOLE,
            None,
            usize::MAX,
        )
        .await;
    page.expect("reads")
}

/// A home in the registry, and an open week.
async fn prepare(store: &Store) {
    let invite = InviteRow {
        token_hash: Hash::of(b"an invite"),
        expires_at: now().plus_seconds(60),
        uses: 1,
    };
    store.add_invites(vec![invite]).await.expect("adds");
    let enrolment = EnrolAttempt {
        home: HomeId::of_key(&KEY),
        key: KEY,
        payload_hash: Hash::of(b"an enrolment"),
        invite_hash: Some(Hash::of(b"an invite")),
        uninvited: None,
        crowds: Vec::new(),
        months: [week().monday(); 2],
        receipt: Vec::new(),
        now: now(),
    };
    let enrolled = store.enrol(enrolment).await.expect("asks");
    assert_eq!(enrolled, Enrolled::Fresh);
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
}

/// How many of these answers are fresh.
fn fresh(answers: &[Appended]) -> usize {
    answers
        .iter()
        .filter(|answer| **answer == Appended::Fresh)
        .count()
}
