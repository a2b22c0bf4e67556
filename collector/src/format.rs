//! Formats: a release as tables, and tables as text.
//!
//! Takes a [`Release`], gives named columns and rows, CSV and JSON; pure, so the same release gives
//! the same bytes to API, pages, terminal and published folder. [`json`] reads a release back.
//!
//! [`Release`]: crate::release::Release

pub mod csv;
pub mod json;
pub mod table;

#[cfg(test)]
pub(crate) mod fixture;
