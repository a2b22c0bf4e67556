//! Formats: a release as tables, and tables as text.
//!
//! Takes a [`Release`], gives named columns and rows, CSV, JSON, GeoJSON and Parquet, and of a map's SVG the same
//! picture as PNG and PDF; pure, so the same release gives the same bytes to API, pages, terminal and
//! published folder. [`json`] reads a release back, [`csv`] and [`parquet`](mod@parquet) a table.
//!
//! [`Release`]: crate::release::Release

pub mod csv;
pub mod dataset;
pub mod geojson;
pub mod json;
pub mod parquet;
pub mod picture;
pub mod table;

#[cfg(test)]
pub(crate) mod fixture;
