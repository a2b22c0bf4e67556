//! What a configuration names, opened: identity, store, tables. `serve` and the commands stand on it.

use super::{RunError, tables};
use crate::config::Config;
use crate::geo::in_use::AtlasInUse;
use crate::identity::Identity;
use crate::journal::keys::WeekKeys;
use crate::ledger::LedgerCopy;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::registry::barred::Barred;
use crate::registry::month_keys::MonthKeys;
use crate::revocation::Revocations;
use crate::store::Store;
use crate::weeks::Weeks;
use crate::withdrawal::Withdrawals;
use phonehome_proto::chance::{Chance, SharedChance};
use phonehome_proto::time::SystemClock;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tables::{Stamp, Tables};

/// Everything that lasts.
pub struct Ground {
    /// What the collector was told.
    pub config: Config,
    /// In whose name it signs.
    pub identity: Arc<Identity>,
    /// The serial of its rules.
    pub serial: u64,
    /// All that is kept.
    pub store: Store,
    /// What happened, outside of the store too.
    pub ledger: LedgerCopy,
    /// Who may report.
    registry: Registry,
    /// Where everything stands.
    pub atlas: AtlasInUse,
    /// Which installed tables are in it.
    pub stamp: Stamp,
    /// Randomness.
    pub chance: SharedChance,
    /// Counters, since it was opened.
    pub metrics: Metrics,
}

impl Ground {
    /// Opens what `config` names. A collector that is new is made: its folders, its database, and
    /// last its identity, so that an interrupted beginning begins again.
    ///
    /// # Errors
    /// [`RunError`]; nothing was lost.
    pub async fn make(config: Config, chance: SharedChance) -> Result<Self, RunError> {
        let tables = tables::load(&config)?;
        let is_new = !config.identity.exists();
        if !is_new && config.server.is_none() && !config.database().exists() {
            let (database, identity) = (config.database(), config.identity.clone());
            return Err(RunError::LostDatabase { database, identity });
        }
        for folder in [&config.data_dir, &config.keys_dir] {
            make_folder(folder)?;
        }
        apart(&config)?;
        // Behind an identity there must be a database: a server that has none is the wrong one.
        let store = open_store(&config, is_new || config.server.is_none()).await?;
        if let Some(setting) = store.fragility().await? {
            return Err(RunError::Fragile(setting));
        }
        let identity = if is_new {
            Identity::create(&config.identity, config.purpose, &mut chance.clone())?
        } else {
            Identity::load(&config.identity, config.purpose)?
        };
        Self::stand(config, identity, store, tables, chance).await
    }

    /// Opens what `config` names, and makes nothing.
    ///
    /// # Errors
    /// [`RunError`], also when there is no database.
    pub async fn open(config: Config, chance: SharedChance) -> Result<Self, RunError> {
        let tables = tables::load(&config)?;
        let store = open_store(&config, false).await?;
        let identity = Identity::load(&config.identity, config.purpose)?;
        Self::stand(config, identity, store, tables, chance).await
    }

    async fn stand(
        config: Config,
        identity: Identity,
        store: Store,
        tables: Tables,
        chance: SharedChance,
    ) -> Result<Self, RunError> {
        let identity = identity.announcing(config.enrolment);
        let (audience, purpose) = (identity.audience(), identity.purpose());
        let serial = store
            .rules_serial(audience, purpose, identity.rules_hash())
            .await?;
        let serial = serial.ok_or(RunError::OtherCollector)?;
        let identity = Arc::new(identity);
        let ledger = LedgerCopy::new(config.ledger(), &config.keys_dir, Arc::clone(&identity));
        // An older database, in which homes that left would be back, is refused here.
        ledger.take_up(&store).await?;
        let months = MonthKeys::new(config.keys_dir.clone(), chance.clone());
        let barred = Barred::of(&store).await?;
        Ok(Self {
            registry: Registry::new(store.clone(), months, config.limits).barring(barred),
            config,
            serial,
            identity,
            ledger,
            store,
            stamp: tables.stamp,
            atlas: AtlasInUse::new(tables.atlas),
            chance,
            metrics: Metrics::new(),
        })
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// The week keys.
    #[must_use]
    pub fn keys(&self) -> WeekKeys {
        let folder = self.config.keys_dir.clone();
        WeekKeys::new(folder, self.store.clone(), self.chance.clone())
    }

    /// Who forgets homes, over `keys`.
    #[must_use]
    pub fn withdrawals(&self, keys: WeekKeys) -> Withdrawals {
        Withdrawals {
            store: self.store.clone(),
            keys,
            identity: Arc::clone(&self.identity),
            ledger: self.ledger.clone(),
        }
    }

    /// Who takes homes out, over `keys`.
    #[must_use]
    pub fn revocations(&self, keys: WeekKeys) -> Revocations {
        Revocations {
            store: self.store.clone(),
            keys,
            identity: Arc::clone(&self.identity),
            ledger: self.ledger.clone(),
        }
    }

    /// The week's clock over `keys`.
    #[must_use]
    pub fn weeks(&self, keys: WeekKeys) -> Weeks {
        Weeks {
            store: self.store.clone(),
            keys,
            identity: Arc::clone(&self.identity),
            atlas: self.atlas.clone(),
            metrics: self.metrics.clone(),
            holder: self.chance.clone().bytes(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Refuses folders that lie within each other by way of links, which the configuration's text does
/// not show. A folder that is not there yet links nowhere.
///
/// # Errors
/// [`RunError::Nested`].
pub fn apart(config: &Config) -> Result<(), RunError> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    match (real(&config.data_dir), real(&config.keys_dir)) {
        (Some(data), Some(keys)) if keys.starts_with(&data) || data.starts_with(&keys) => {
            Err(RunError::Nested { data, keys })
        }
        _ => Ok(()),
    }
}

/// The store that `config` names.
///
/// # Errors
/// [`StoreError`](crate::store::StoreError), also when there is none and `create` is false.
pub async fn open_store(config: &Config, create: bool) -> Result<Store, RunError> {
    Ok(match &config.server {
        None => Store::open(&config.database(), create).await?,
        Some(server) => Store::connect(server.clone(), create).await?,
    })
}

fn make_folder(path: &Path) -> Result<(), RunError> {
    use std::os::unix::fs::DirBuilderExt;
    // What stands there already keeps its mode: that is the operator's to choose.
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| RunError::Folder {
            path: path.to_owned(),
            source,
        })
}
