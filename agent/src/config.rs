//! The daemon's configuration: TOML as written -> [`Config`], valid by existing.
