"""Makes suffixes.bin: under which names registries let people register theirs.

usage: suffixes.py PUBLIC_SUFFIX_LIST OUT

Input: the Public Suffix List, /usr/share/publicsuffix/public_suffix_list.dat of Debian's package
`publicsuffix`. Only its registries' part, and of that only rules of several labels: a name of one label
needs no table.
Output: rows of five bytes, sorted: the first 40 bits of each rule's FNV-1a hash (64 bits, big-endian).
The rule is hashed as the list writes it, in lower-case ASCII: `co.uk`, `*.ck`, `!www.ck`.
"""

import sys

ROW_BYTES = 5
BYTES_MAX = 32 * 1024


def fnv1a(rule):
    number = 0xCBF29CE484222325
    for byte in rule.encode("ascii"):
        number = (number ^ byte) * 0x100000001B3 % 2**64
    return number.to_bytes(8, "big")


def rules(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if "===BEGIN PRIVATE DOMAINS===" in line:
                return
            rule = line.strip()
            if rule and not rule.startswith("//") and "." in rule:
                yield rule if rule.isascii() else rule.encode("idna").decode("ascii")


def main():
    list_path, out_path = sys.argv[1:]
    rows = sorted({fnv1a(rule)[:ROW_BYTES] for rule in rules(list_path)})
    table = b"".join(rows)
    assert len(table) <= BYTES_MAX, f"{len(table)} bytes are more than {BYTES_MAX}"
    with open(out_path, "wb") as file:
        file.write(table)
    print(f"{len(rows):6} rows, {len(table)} bytes")


main()
