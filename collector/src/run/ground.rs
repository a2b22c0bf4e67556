//! What a configuration names, opened: identity, store, tables. `serve` and the commands stand on it.

use super::RunError;
use crate::config::Config;
use crate::geo::atlas::Atlas;
use crate::geo::country::CountrySource;
use crate::identity::Identity;
use crate::journal::keys::WeekKeys;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::store::Store;
use crate::weeks::Weeks;
use crate::withdrawal::Withdrawals;
use phonehome_proto::chance::SharedChance;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

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
    /// Where everything stands.
    pub atlas: Arc<Atlas>,
    /// Randomness.
    pub chance: SharedChance,
    /// Counters, since it was opened.
    pub metrics: Metrics,
}

/// Bytes of a country database; the largest that is sold has a tenth.
const DATABASE_BYTES_MAX: u64 = 1 << 30;

impl Ground {
    /// Opens what `config` names. A collector that is new is made: its folders, its database, and
    /// last its identity, so that an interrupted beginning begins again.
    ///
    /// # Errors
    /// [`RunError`]; nothing was lost.
    pub async fn make(config: Config, chance: SharedChance) -> Result<Self, RunError> {
        let atlas = atlas(&config)?;
        let is_new = !config.identity.exists();
        if !is_new && !config.database().exists() {
            let (database, identity) = (config.database(), config.identity.clone());
            return Err(RunError::LostDatabase { database, identity });
        }
        for folder in [&config.data_dir, &config.keys_dir] {
            make_folder(folder)?;
        }
        apart(&config)?;
        let store = Store::open(&config.database(), true).await?;
        let identity = if is_new {
            Identity::create(&config.identity, config.purpose, &mut chance.clone())?
        } else {
            Identity::load(&config.identity, config.purpose)?
        };
        Self::stand(config, identity, store, atlas, chance).await
    }

    /// Opens what `config` names, and makes nothing.
    ///
    /// # Errors
    /// [`RunError`], also when there is no database.
    pub async fn open(config: Config, chance: SharedChance) -> Result<Self, RunError> {
        let atlas = atlas(&config)?;
        let store = Store::open(&config.database(), false).await?;
        let identity = Identity::load(&config.identity, config.purpose)?;
        Self::stand(config, identity, store, atlas, chance).await
    }

    async fn stand(
        config: Config,
        identity: Identity,
        store: Store,
        atlas: Atlas,
        chance: SharedChance,
    ) -> Result<Self, RunError> {
        let (audience, purpose) = (identity.audience(), identity.purpose());
        let serial = store
            .rules_serial(audience, purpose, identity.rules_hash())
            .await?;
        Ok(Self {
            config,
            serial: serial.ok_or(RunError::OtherCollector)?,
            identity: Arc::new(identity),
            store,
            atlas: Arc::new(atlas),
            chance,
            metrics: Metrics::new(),
        })
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> Registry {
        Registry::new(self.store.clone())
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
        }
    }

    /// The week's clock over `keys`.
    #[must_use]
    pub fn weeks(&self, keys: WeekKeys) -> Weeks {
        Weeks {
            store: self.store.clone(),
            keys,
            identity: Arc::clone(&self.identity),
            atlas: Arc::clone(&self.atlas),
            metrics: self.metrics.clone(),
        }
    }
}

/// The embedded tables and what the configuration adds to them.
///
/// # Errors
/// When a named database cannot be read.
pub fn atlas(config: &Config) -> Result<Atlas, RunError> {
    let mut atlas = Atlas::embedded().with_exercise(config.exercise.clone());
    for path in &config.databases {
        let mut bytes = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(DATABASE_BYTES_MAX).read_to_end(&mut bytes));
        read.map_err(|source| RunError::Unreadable {
            path: path.clone(),
            source,
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let source = CountrySource::read(&name, bytes).map_err(|source| RunError::Geo {
            path: path.clone(),
            source,
        })?;
        atlas = atlas.with_countries(source);
    }
    Ok(atlas)
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
