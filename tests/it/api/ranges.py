"""Reads every table of a running API as Parquet, in parts, and compares each cell with its CSV.

    ranges.py pandas|duckdb URL

Prints how many tables and cells it has compared. No Parquet may be fetched whole: for pandas the file system
says what it fetches, and DuckDB has no other way.
"""

import csv
import io
import sys
import urllib.request

COUNTS = ["x_low", "x_high", "n", "networks", "radius"]
SHARES = ["share", "share_low", "share_high"]
TABLES = [f"/v1/matrix.{{}}?by={by}" for by in ["server", "network", "owner", "home"]] + [
    "/v1/endpoints.{}",
    "/v1/vendors/xiaomi.{}",
    "/v1/countries/SG.{}?by=home",
]


def expected(column, text):
    if text == "":
        return None
    if column in COUNTS:
        return int(text)
    return float(text) if column in SHARES else text


def with_pandas(url):
    import fsspec
    import pandas

    frame = pandas.read_parquet(url, filesystem=fsspec.filesystem("http"))
    for record in frame.astype(object).itertuples(index=False):
        yield dict(zip(frame.columns, (None if pandas.isna(value) else value for value in record)))


def with_duckdb(url):
    from sql import connect

    query = connect().execute(f"SELECT * FROM '{url}'")
    columns = [column[0] for column in query.description]
    for record in query.fetchall():
        yield dict(zip(columns, record))


def main():
    read = {"pandas": with_pandas, "duckdb": with_duckdb}[sys.argv[1]]
    cells = 0
    for path in TABLES:
        text = urllib.request.urlopen(sys.argv[2] + path.format("csv")).read().decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        records = list(read(sys.argv[2] + path.format("parquet")))
        assert rows and len(records) == len(rows), (path, len(records), len(rows))
        for record, row in zip(records, rows):
            wanted = {column: expected(column, text) for column, text in row.items()}
            assert record == wanted, (path, record, wanted)
            cells += len(row)
    print(len(TABLES), cells)


if __name__ == "__main__":
    main()
