#!/usr/bin/env python3
"""Takes countries' names out of the Unicode CLDR.

    names.py COUNTRIES_TSV CLDR_FOLDER VERSION > names.tsv

CLDR_FOLDER is `main` of the npm package `cldr-localenames-full`. A short form is taken where there is
one. English names stand in countries.tsv. Standard library only; the same input gives the same bytes.
"""

import json
import pathlib
import sys

LANGUAGES = ["de", "fr", "es", "ru", "zh"]


def main():
    countries, folder, version = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    lines = open(countries, encoding="utf-8").read().splitlines()
    codes = sorted(line.split("\t")[0] for line in lines if line and not line.startswith("#"))
    tables = [names(folder, language) for language in LANGUAGES]
    print(f"# Names of countries and territories: Unicode CLDR {version}, npm cldr-localenames-full,")
    print("# Unicode-3.0 (https://www.unicode.org/license.txt), reduced by names.py.")
    print("# code<TAB>" + "<TAB>".join(LANGUAGES))
    for code in codes:
        print("\t".join([code] + [table.get(f"{code}-alt-short", table[code]) for table in tables]))


def names(folder, language):
    text = (folder / language / "territories.json").read_text(encoding="utf-8")
    return json.loads(text)["main"][language]["localeDisplayNames"]["territories"]


main()
