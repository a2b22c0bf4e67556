#!/usr/bin/env python3
"""Packs the @ip-location-db/asn tables into networks.bin.

    networks.py ASN_IPV4_CSV ASN_IPV6_CSV DATE > networks.bin

The format, all numbers LEB128 unless said otherwise:

    magic        8 bytes, "PHNETS01"
    date         10 bytes, YYYY-MM-DD
    operators    how many; then each AS number as the step from the one before; then each name,
                 UTF-8, ended by a line feed
    IPv4         how many boundaries; then each boundary's first address as the step from the one
                 before; then who holds the addresses from there on: 0 for nobody, else the
                 operator's place in the list, from 1
    IPv6         the same, over the upper 64 bits of the address

Columns, because like numbers next to each other compress. Boundaries, because the ranges hardly
leave gaps. Standard library only; the same input gives the same bytes.
"""

import csv
import ipaddress
import sys


def main():
    v4 = read(sys.argv[1], shift=0)
    v6 = read(sys.argv[2], shift=64)
    names = {asn: name for _, _, asn, name in v4 + v6}
    places = {asn: at + 1 for at, asn in enumerate(sorted(names))}

    out = bytearray(b"PHNETS01" + date(sys.argv[3]))
    write(out, len(names))
    write_steps(out, sorted(names))
    for asn in sorted(names):
        out += names[asn].replace("\n", " ").encode() + b"\n"
    for ranges in (v4, v6):
        cuts = boundaries(ranges, places)
        write(out, len(cuts))
        write_steps(out, [start for start, _ in cuts])
        for _, place in cuts:
            write(out, place)
    sys.stdout.buffer.write(out)


def date(text):
    assert len(text) == 10 and text[4] == text[7] == "-", text
    return text.encode()


def read(path, shift):
    """(first, last, AS number, name), in units of 2^shift addresses."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            (
                int(ipaddress.ip_address(first)) >> shift,
                int(ipaddress.ip_address(last)) >> shift,
                int(asn),
                name.strip(),
            )
            for first, last, asn, name in csv.reader(file)
        ]


def boundaries(ranges, places):
    """Where the holder changes. Of two that claim the same addresses, the first keeps them."""
    cuts = []
    free = 0  # the first address not spoken for yet
    for first, last, asn, _ in sorted(ranges):
        if last < free:
            continue
        first = max(first, free)
        if first > free or not cuts:
            cuts.append((free, 0))
        cuts.append((first, places[asn]))
        free = last + 1
    cuts.append((free, 0))
    out = []
    for at, (start, place) in enumerate(cuts):
        if at + 1 < len(cuts) and cuts[at + 1][0] == start:
            continue  # empty
        if not out or out[-1][1] != place:
            out.append((start, place))
    return out


def write(out, number):
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def write_steps(out, numbers):
    last = 0
    for number in numbers:
        write(out, number - last)
        last = number


main()
