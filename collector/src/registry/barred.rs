//! Homes that were revoked, though the database may not know them any more.
//!
//! Takes the ledger, gives a set of names that only the identity's holder can tell. A database that was put back
//! from a backup knows nothing of a home that came later: should that home have been revoked, it is refused
//! for being named here. About 130 bytes of memory a home.

use crate::identity::Identity;
use crate::store::{BARRED, LedgerRow, Store, StoreError};
use phonehome_proto::id::HomeId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Homes that were ever revoked, as the ledger calls them. Clones are handles to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Barred(Arc<BTreeSet<String>>);

impl Barred {
    /// Those that the ledger of this store names.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(store: &Store) -> Result<Self, StoreError> {
        let (mut barred, mut number) = (BTreeSet::new(), 0);
        loop {
            let page = store.ledger_after(number).await?;
            let Some(LedgerRow { number: last, .. }) = page.last() else {
                return Ok(Self(Arc::new(barred)));
            };
            number = *last;
            let named = page
                .iter()
                .filter_map(|link| link.event.strip_prefix(BARRED));
            barred.extend(named.map(str::to_owned));
        }
    }

    /// Whether this home is one of them.
    #[must_use]
    pub fn holds(&self, home: HomeId, identity: &Identity) -> bool {
        !self.0.is_empty() && self.0.contains(&identity.listed(home).to_hex())
    }
}
