//! Reading a table back from its Parquet.

use super::{Kind, kind};
use crate::format::csv;
use crate::format::table::{Field, Table};
use crate::release::BasisPoints;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field as Value;
use bytes::Bytes;

/// A table that [`super::write`] wrote; `None` for anything else.
#[must_use]
pub fn read(file: &[u8]) -> Option<Table> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).ok()?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let columns = schema
        .columns()
        .iter()
        .map(|column| csv::known_column(column.name()))
        .collect::<Option<Vec<_>>>()?;
    let rows = reader.get_row_iter(None).ok()?;
    let rows = rows.map(|row| {
        let row = row.ok()?;
        let fields = row.get_column_iter().zip(&columns);
        fields
            .map(|((_, value), column)| field_of(column, value))
            .collect::<Option<Vec<_>>>()
    });
    let rows = rows.collect::<Option<Vec<_>>>()?;
    Some(Table { columns, rows })
}

fn field_of(column: &str, value: &Value) -> Option<Field> {
    Some(match (kind(column).0, value) {
        (_, Value::Null) => Field::Empty,
        (Kind::Text, Value::Str(text)) => Field::Text(text.clone()),
        (Kind::Count, Value::Int(count)) => Field::Count(u32::try_from(*count).ok()?),
        (Kind::Share, Value::Double(share)) => Field::Share(BasisPoints::read(*share)?),
        _ => return None,
    })
}
