#!/usr/bin/env python3
"""The least distance between any two countries, from world-atlas countries-50m.json.

    distances.py COUNTRIES_50M_JSON COUNTRIES_TSV > distances.bin

A distance is a lower bound, because it serves to refute: outlines are cut into pieces of at most
a fifth of a degree and put on a grid of half a degree; two countries are as far apart as their nearest
grid points, less what the grid and the map's generalisation can hide, less what a sphere overstates
against the ellipsoid. Neighbours have 0.

The format, all numbers little-endian:

    magic        8 bytes, "PHDIST01"
    countries    u16, how many; then two letters each, sorted
    distances    u16 each, kilometres: row by row, each row the countries after its own

Standard library only; the same input gives the same bytes.
"""

import json
import math
import struct
import sys

from borders import code_of, decode_arcs, join, read_codes, rings_of, territory

GRID_DEG = 0.5
PIECE_DEG = 0.2
RADIUS_KM = 6371.0
# The ellipsoid's shortest way is at most so much shorter than the sphere's.
ELLIPSOID = 0.994
# Twice half the diagonal of a grid cell, and 5 km for each outline's own error at 1:50 million.
MARGIN_KM = 2 * (GRID_DEG * math.sqrt(2) / 2 * 111.2 + 5)


def main():
    atlas = json.load(open(sys.argv[1], encoding="utf-8"))
    codes = read_codes(sys.argv[2])
    arcs = decode_arcs(atlas)
    cells = {}
    for feature in atlas["objects"]["countries"]["geometries"]:
        for ring in rings_of(feature):
            points = join(ring, arcs)
            code = territory(code_of(feature, codes), points)
            cells.setdefault(code, set()).update(cells_of(points))
    del cells["--"]

    countries = sorted(cells)
    vectors = {code: [vector(cell) for cell in sorted(cells[code])] for code in countries}
    out = bytearray(b"PHDIST01" + struct.pack("<H", len(countries)))
    out += "".join(countries).encode()
    for at, here in enumerate(countries):
        for there in countries[at + 1 :]:
            out += struct.pack("<H", distance(cells, vectors, here, there))
    sys.stdout.buffer.write(out)


def cells_of(points):
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        pieces = math.ceil(max(abs(x2 - x1), abs(y2 - y1)) / PIECE_DEG) or 1
        for piece in range(pieces):
            part = piece / pieces
            x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
            yield round(x / GRID_DEG) % round(360 / GRID_DEG), round(y / GRID_DEG)


def vector(cell):
    x, y = math.radians(cell[0] * GRID_DEG), math.radians(cell[1] * GRID_DEG)
    return math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y)


def distance(cells, vectors, here, there):
    if not cells[here].isdisjoint(cells[there]):
        return 0
    nearest = max(
        ax * bx + ay * by + az * bz
        for ax, ay, az in vectors[here]
        for bx, by, bz in vectors[there]
    )
    kilometres = RADIUS_KM * math.acos(min(nearest, 1.0)) * ELLIPSOID - MARGIN_KM
    return max(0, math.floor(kilometres))


main()
