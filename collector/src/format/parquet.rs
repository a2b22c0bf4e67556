//! A table as Parquet, both ways: the CSV's columns, typed.
//!
//! Texts are UTF-8, shares doubles between 0 and 1, counts 32-bit integers. What every row has is
//! required; what only shown cells have is optional, and absent elsewhere: never 0, never NaN. Texts of few
//! kinds (vendors, countries, states) are dictionaries. Rows stand in small groups with their least and
//! greatest values, so that a reader over HTTP fetches the end of the file and then only what it asks
//! for. No compression, which some readers lack, and no time of writing: the same table gives the same
//! bytes.

mod read;

pub use read::read;

use super::json;
use super::table::{Field, Table};
use crate::map::words;
use crate::release::Release;
use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;
use std::sync::Arc;

/// Rows of one group: a vendor's, about.
const GROUP_ROWS: usize = 512;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Count,
    Share,
}

/// The kind of a column of the contract, and whether every row has it.
fn kind(column: &str) -> (Kind, Repetition) {
    match column {
        "share" | "share_low" | "share_high" => (Kind::Share, Repetition::OPTIONAL),
        "x_low" | "x_high" | "n" | "networks" | "radius" => (Kind::Count, Repetition::OPTIONAL),
        "place_status" => (Kind::Text, Repetition::OPTIONAL),
        _ => (Kind::Text, Repetition::REQUIRED),
    }
}

/// The whole table.
///
/// # Panics
/// If a column holds what its kind is not, or a required one nothing: tables are made in one place.
#[must_use]
pub fn write(release: &Release, table: &Table) -> Vec<u8> {
    try_write(release, table).expect("memory takes everything, and tables fit their columns")
}

fn try_write(release: &Release, table: &Table) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by(format!("phonehome-collector, method {}", release.method))
        .set_key_value_metadata(Some(facts(release)))
        .build();
    let mut file = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut file, Arc::new(schema(table)?), Arc::new(properties))?;
    for rows in table.rows.chunks(GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
        for (at, column) in table.columns.iter().enumerate() {
            let into = group.next_column()?.expect("as many as the schema has");
            write_column(into, column, rows.iter().map(|row| &row[at]))?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(file)
}

fn schema(table: &Table) -> Result<Type, ParquetError> {
    let columns = table.columns.iter().map(|column| {
        let (kind, repetition) = kind(column);
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Count => (Physical::INT32, None),
            Kind::Share => (Physical::DOUBLE, None),
        };
        let column = Type::primitive_type_builder(column, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(column))
    });
    let columns = columns.collect::<Result<Vec<_>, ParquetError>>()?;
    Type::group_type_builder("release")
        .with_fields(columns)
        .build()
}

/// What stands beside the rows, so that the file alone can be cited.
fn facts(release: &Release) -> Vec<KeyValue> {
    let fact = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let mut facts = vec![
        fact("release", release.id.to_string()),
        fact("licence", json::LICENCE.to_owned()),
        fact("citation", json::citation(release)),
        fact("gate", words::of_gate(release)),
    ];
    facts.extend(words::of_exercise(release).map(|words| fact("notice", words.to_owned())));
    facts
}

fn write_column<'a>(
    mut into: SerializedColumnWriter<'_>,
    column: &str,
    fields: impl Iterator<Item = &'a Field>,
) -> Result<(), ParquetError> {
    let (kind, repetition) = kind(column);
    let fields: Vec<&Field> = fields.collect();
    let levels: Vec<i16> = fields
        .iter()
        .map(|field| i16::from(**field != Field::Empty))
        .collect();
    let levels = match repetition {
        Repetition::OPTIONAL => Some(&levels[..]),
        _ => None,
    };
    let misfit = |field: &Field| ParquetError::General(format!("{column} cannot hold {field:?}"));
    let held = fields.iter().filter(|field| ***field != Field::Empty);
    match kind {
        Kind::Text => {
            let texts = held.map(|field| match field {
                Field::Text(text) => Ok(ByteArray::from(text.as_str())),
                other => Err(misfit(other)),
            });
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            into.typed::<ByteArrayType>()
                .write_batch(&texts, levels, None)?;
        }
        Kind::Count => {
            let counts = held.map(|field| match field {
                Field::Count(count) => i32::try_from(*count).map_err(|_| misfit(field)),
                other => Err(misfit(other)),
            });
            let counts = counts.collect::<Result<Vec<_>, _>>()?;
            into.typed::<Int32Type>()
                .write_batch(&counts, levels, None)?;
        }
        Kind::Share => {
            let shares = held.map(|field| match field {
                Field::Share(share) => Ok(f64::from(share.0) / 10_000.0),
                other => Err(misfit(other)),
            });
            let shares = shares.collect::<Result<Vec<_>, _>>()?;
            into.typed::<DoubleType>()
                .write_batch(&shares, levels, None)?;
        }
    }
    into.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use crate::format::table::TableName;
    use bytes::Bytes;

    #[test]
    fn what_was_written_reads_back() {
        let release = fixture::release();
        for name in TableName::ALL {
            let table = Table::of(&release, name);
            let file = write(&release, &table);
            assert_eq!(read(&file), Some(table.clone()), "{name:?}");
            assert_eq!(file, write(&release, &table), "and the same every time");
        }
        let operators = Table::of_operators(&release);
        assert_eq!(read(&write(&release, &operators)), Some(operators));
    }

    #[test]
    fn rows_stand_in_small_groups() {
        use ::parquet::file::reader::{FileReader, SerializedFileReader};
        let release = fixture::release();
        let mut table = Table::of(&release, TableName::Server);
        while table.rows.len() <= 3 * GROUP_ROWS {
            table.rows.extend_from_within(..);
        }
        let file = write(&release, &table);
        assert_eq!(read(&file), Some(table.clone()));
        let reader = SerializedFileReader::new(Bytes::from(file)).expect("a file");
        let groups = reader.metadata().row_groups();
        assert_eq!(groups.len(), table.rows.len().div_ceil(GROUP_ROWS));
        for column in groups.iter().flat_map(|group| group.columns()) {
            let name = column.column_path().string();
            assert!(column.statistics().is_some(), "{name} has no least value");
            let is_dictionary = column.dictionary_page_offset().is_some();
            assert!(is_dictionary || kind(&name).0 != Kind::Text, "{name}");
        }
    }

    #[test]
    fn a_table_without_rows_is_a_file_too() {
        let release = fixture::release();
        let mut table = Table::of(&release, TableName::Home);
        table.rows.clear();
        assert_eq!(read(&write(&release, &table)), Some(table));
    }

    #[test]
    fn what_is_no_table_of_ours_is_refused() {
        let release = fixture::release();
        let file = write(&release, &Table::of(&release, TableName::Server));
        assert_eq!(read(b""), None);
        assert_eq!(read(&file[..file.len() - 1]), None);
        assert_eq!(read(&file[1..]), None);
    }
}
