//! Homes in the registry, for tests of this crate that are about something else.

use super::{EnrolAttempt, Enrolled, InviteRow, Store};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::{Day, Timestamp};

impl Store {
    /// Takes in the home with this key, as a good enrolment does.
    pub(crate) async fn take_in(&self, key: &[u8; 32], now: Timestamp) {
        // Nothing that could be taken for the home: a spent invite stays.
        let token_hash = Hash::of(Hash::of(key).as_bytes());
        let expires_at = now.plus_seconds(1);
        let invite = InviteRow {
            token_hash,
            expires_at,
            uses: 1,
        };
        self.add_invites(vec![invite]).await.expect("adds");
        let attempt = EnrolAttempt {
            home: HomeId::of_key(key),
            key: *key,
            payload_hash: Hash::of(b"an enrolment"),
            invite_hash: Some(token_hash),
            uninvited: None,
            crowds: Vec::new(),
            months: [Day::LAST; 2],
            receipt: Vec::new(),
            now,
        };
        let enrolled = self.enrol(attempt).await.expect("asks");
        assert_eq!(enrolled, Enrolled::Fresh);
    }
}
