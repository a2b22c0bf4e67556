"""Runs SQL in DuckDB with its own extension for HTTP, and prints the rows.

    sql.py SQL

DuckDB fetches that extension from the internet when it first meets an address; here it comes from the
package duckdb-extension-httpfs, which is the same file.
"""

import pathlib
import sys

import duckdb
import duckdb_extension_httpfs


def connect():
    [extension] = pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    return connection


if __name__ == "__main__":
    for row in connect().execute(sys.argv[1]).fetchall():
        print(*row)
