"""Reads a release folder with the programs of others, and compares what they say with its CSV.

    readers.py FOLDER

frictionless validates the package, mlcroissant the data set's description and its records; pandas and
DuckDB read the Parquet; GeoJSON is plain JSON, CITATION.cff plain YAML.
"""

import csv
import json
import pathlib
import sys

import duckdb
import frictionless
import mlcroissant
import pandas
import yaml

STEMS = ["matrix-server", "matrix-network", "matrix-owner", "matrix-home", "endpoints"]
COUNTS = ["x_low", "x_high", "n", "networks", "radius"]
SHARES = ["share", "share_low", "share_high"]


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    package(folder)
    croissant(folder)
    for stem in STEMS:
        rows = list(csv.DictReader(open(folder / f"{stem}.csv", encoding="utf-8")))
        tables(folder / f"{stem}.parquet", rows)
    geography(folder)
    citation(folder)


def package(folder):
    report = frictionless.validate(str(folder / "datapackage.json"))
    assert report.valid, report.flatten(["name", "type", "note"]) + report.errors
    checked = {task.name for task in report.tasks}
    assert {f"{stem}-csv" for stem in STEMS} <= checked, checked


def croissant(folder):
    dataset = mlcroissant.Dataset(jsonld=str(folder / "dataset.jsonld"))
    issues = dataset.metadata.ctx.issues
    assert not issues.errors, issues.report()
    assert not issues.warnings, issues.report()
    for stem in STEMS:
        rows = list(csv.DictReader(open(folder / f"{stem}.csv", encoding="utf-8")))
        records = list(dataset.records(stem))
        assert len(records) == len(rows), stem
        for record, row in zip(records, rows):
            for column, text in row.items():
                value = record[f"{stem}/{column}"]
                if column in COUNTS + SHARES:
                    assert value is None if text == "" else value == float(text), (column, value, text)
                elif text:
                    assert value.decode() == text, (column, value, text)


def same(value, column, text):
    if text == "":
        return value is None
    if column in COUNTS:
        return isinstance(value, int) and value == int(text)
    if column in SHARES:
        return abs(value - float(text)) < 1e-9
    return value == text


def tables(path, rows):
    # As R, Spark and most of Python would see it.
    frame = pandas.read_parquet(path)
    assert len(frame) == len(rows), path
    assert list(frame.columns) == (list(rows[0]) if rows else list(frame.columns)), path
    shown = frame[frame.state.isin(["value", "zero", "imprecise"])]
    hidden = frame[~frame.state.isin(["value", "zero", "imprecise"])]
    assert shown[COUNTS + SHARES].notna().all().all(), path
    assert hidden[COUNTS + SHARES].isna().all().all(), path

    connection = duckdb.connect()
    query = connection.execute(f"SELECT * FROM '{path}'")
    columns = [column[0] for column in query.description]
    for record, row in zip(query.fetchall(), rows):
        for column, value in zip(columns, record):
            assert same(value, column, row[column]), (path, column, value, row)
    types = dict(connection.execute(
        f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{path}')").fetchall())
    assert types["share"] == "DOUBLE" and types["n"] == "INTEGER" and types["state"] == "VARCHAR", types


def geography(folder):
    for by in ["server", "network", "owner"]:
        collection = json.load(open(folder / f"matrix-{by}.geojson", encoding="utf-8"))
        rows = list(csv.DictReader(open(folder / f"matrix-{by}.csv", encoding="utf-8")))
        places = {feature["id"]: feature for feature in collection["features"]}
        for row in rows:
            properties = places[row["country"]]["properties"]
            for column, text in row.items():
                if column not in ("week", "vendor", "country"):
                    assert same(properties[f"{row['vendor']}.{column}"], column, text), (row, column)
        for code in ["anycast", "unknown"]:
            assert code not in places or places[code]["geometry"] is None


def citation(folder):
    cited = yaml.safe_load(open(folder / "CITATION.cff", encoding="utf-8"))
    for key in ["cff-version", "message", "title", "authors", "version", "date-released", "license"]:
        assert cited[key], key
    assert all(of["title"] and of["authors"] and of["type"] == "data" for of in cited["references"])


if __name__ == "__main__":
    main()
