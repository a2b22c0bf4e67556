"""Makes oui.bin: which MAC prefixes belong to makers of phones.

usage: oui.py OUI_DATA_JSON VENDORS_TOML OUT

Input: index.json of the npm package `oui-data` (the IEEE registry) and proto/data/vendors.toml, whose
`prefix_owners` say which organisations count and what carries their prefixes.
Output: rows of four bytes, sorted: the three bytes of the prefix, then owner * 4 + kind (1 phones,
2 devices, 3 anything). An owner is a vendor, by its number, or a brand with prefixes of its own, numbered
down from 63 in the order of the file. Only 24-bit assignments; smaller ones share their first three
bytes with strangers. `strange_prefixes` are left out.
"""

import json
import re
import sys
import tomllib

OWNERS_MAX = 63
KINDS = {"phones": 1, "devices": 2, "anything": 3}
BYTES_MAX = 32 * 1024


def expression(pattern):
    """The pattern language of vendors.toml, as a regular expression."""
    meaning = {"*": ".*", "#": "[0-9]", "@": "[a-z]"}
    return re.compile("".join(meaning.get(c, re.escape(c)) for c in pattern))


def main():
    registry_path, vendors_path, out_path = sys.argv[1:]
    with open(registry_path, encoding="utf-8") as file:
        registry = json.load(file)
    with open(vendors_path, "rb") as file:
        facts = tomllib.load(file)
    vendors = facts["vendor"]
    strange = {prefix.replace(":", "").upper() for prefix in facts["strange_prefixes"]}
    owners, brands = [], 0
    for vendor in vendors:
        for owner in vendor["prefix_owners"]:
            number = vendor["number"]
            if "brand" in owner:
                number = OWNERS_MAX - brands
                brands += 1
            row_end = bytes([number * 4 + KINDS[owner["kind"]]])
            owners.append((expression(owner["organisation"]), owner["organisation"], vendor, row_end))
    rows, counts = [], {}
    for prefix, text in registry.items():
        if len(prefix) != 6 or prefix.upper() in strange:
            continue
        organisation = text.split("\n")[0].lower()
        for fits, name, _, row_end in owners:
            if fits.fullmatch(organisation):
                rows.append(bytes.fromhex(prefix) + row_end)
                counts[name] = counts.get(name, 0) + 1
                break
    table = b"".join(sorted(rows))
    assert len(table) <= BYTES_MAX, f"{len(table)} bytes are more than {BYTES_MAX}"
    with open(out_path, "wb") as file:
        file.write(table)
    for _, name, vendor, _ in owners:
        print(f"{counts.get(name, 0):6} {vendor['id']:10} {name}")
    print(f"{len(rows):6} rows, {len(table)} bytes")


main()
