//! The home.
