#!/usr/bin/env python3
"""Reduces world-atlas countries-50m.json to shores.txt, from which build.rs measures distances.

    shores.py COUNTRIES_50M_JSON COUNTRIES_TSV > shores.txt

Unlike the map's borders.txt it keeps every ring, down to the last islet, because a distance that is
too long refutes what is true: outlines are only put on a lattice of a tenth of a degree, so that
no point of one is farther than 9.3 km from a point of the lattice that is written down.
Standard library only; the same input gives the same bytes.
"""

import json
import math
import sys

from borders import code_of, decode_arcs, join, read_codes, rings_of, territory

GRID_DEG = 0.1
# Outlines are looked at this often between lattice points, so that none is jumped over.
LOOKS = 4
# Freeman, 1961: the way from a lattice point to the next, counter-clockwise from the east.
WAYS = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]

HEADER = """\
# Outlines of countries and territories on a lattice of a tenth of a degree, for their distances.
# Source: Natural Earth 4.1 (public domain) by way of world-atlas 2.0.2 (ISC licence, Copyright
# 2013-2019 Michael Bostock), countries-50m.json of 2019-09; reduced by shores.py on 2026-11-22.
# "= CODE" opens a country; every line after it is one ring: longitude and latitude of the first
# point in tenths of a degree, then the way from each point to the next as a Freeman chain code,
# 0 east, 1 north-east, 2 north and so on."""


def main():
    atlas = json.load(open(sys.argv[1], encoding="utf-8"))
    codes = read_codes(sys.argv[2])
    arcs = decode_arcs(atlas)
    rings = {}
    for feature in atlas["objects"]["countries"]["geometries"]:
        for ring in rings_of(feature):
            points = join(ring, arcs)
            code = territory(code_of(feature, codes), points)
            rings.setdefault(code, []).append(chain(points))
    del rings["--"]  # claimed by two countries, inhabited by none

    print(HEADER)
    for code in sorted(rings):
        print("=", code)
        for (x, y), ways in sorted(rings[code]):
            print(x, y, *([ways] if ways else []))


def chain(points):
    """The first lattice point of a ring, and the way along the others."""
    start = last = None
    ways = []
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        looks = math.ceil(LOOKS * max(abs(x2 - x1), abs(y2 - y1)) / GRID_DEG) or 1
        for look in range(looks):
            part = look / looks
            x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
            here = round(x / GRID_DEG), round(y / GRID_DEG)
            if last is None:
                start = here
            elif here != last:
                ways.append(str(WAYS.index((here[0] - last[0], here[1] - last[1]))))
            last = here
    return start, "".join(ways)


main()
