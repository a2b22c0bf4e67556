#!/usr/bin/env python3
"""Reduces world-atlas countries-50m.json to borders.txt.

    borders.py COUNTRIES_50M_JSON COUNTRIES_TSV > borders.txt

What it does, in this order: decodes the TopoJSON; names every feature by ISO 3166-1 alpha-2;
simplifies the arcs (Visvalingam, so that neighbours keep sharing a line); drops Antarctica and
islets too small to see; cuts at 180 degrees what the file stitched together; writes each ring in
hundredths of a degree. Standard library only; the same input gives the same bytes.
"""

import heapq
import json
import math
import sys

# A point goes when the triangle with its neighbours is smaller than this (steradians; at 960 px
# across, 1e-5 sr is a third of a square pixel).
SIMPLIFY_SR = 1.6e-5
# A ring smaller than this goes, unless it is its country's largest.
RING_SR_MIN = 1.0e-5
# No ring gives up points worth more than this part of its own area, so that no country collapses.
RING_SHARE = 0.02

# Features without a numeric id, or with one that another feature has too.
BY_NAME = {
    "Kosovo": "XK",
    "N. Cyprus": "CY",  # no code of its own; address tables say CY
    "Somaliland": "SO",  # no code of its own; address tables say SO
    "Siachen Glacier": "--",  # claimed by two countries, inhabited by none: drawn as land only
    "Ashmore and Cartier Is.": "AU",  # shares 036 with Australia
    "Indian Ocean Ter.": "CX",  # Christmas Island; the Cocos Islands are split off below
}

# Territories with a code of their own that Natural Earth draws as part of a country: (country,
# code, west, south, east, north); a ring belongs to the first box its first point lies in.
TERRITORIES = [
    ("FR", "GF", -55, 2, -51, 6),
    ("FR", "GP", -62, 15.7, -60.9, 16.6),
    ("FR", "MQ", -61.4, 14.3, -60.7, 15),
    ("FR", "RE", 55, -22, 56, -20),
    ("FR", "YT", 45, -13.1, 45.4, -12.5),
    ("NO", "SJ", -10, 70, -7, 72),
    ("NO", "SJ", 10, 74, 34, 81),
    ("NL", "BQ", -69, 12, -68, 13),
    ("NL", "BQ", -64, 17, -62, 18),
    ("CX", "CC", 96, -13, 98, -11),
]


def main():
    atlas = json.load(open(sys.argv[1], encoding="utf-8"))
    codes = read_codes(sys.argv[2])
    arcs = decode_arcs(atlas)
    features = [
        (code_of(feature, codes), rings_of(feature))
        for feature in atlas["objects"]["countries"]["geometries"]
    ]
    features = [(code, rings) for code, rings in features if code != "AQ"]
    arcs = simplify(arcs, features)

    shapes = {}
    for code, rings in features:
        for ring in rings:
            points = join(ring, arcs)
            shapes.setdefault(territory(code, points), []).append(points)

    print(HEADER)
    for code in sorted(shapes):
        rings = sorted(shapes[code], key=area, reverse=True)
        kept = [r for at, r in enumerate(rings) if at == 0 or area(r) >= RING_SR_MIN]
        print("=", code)
        for ring in kept:
            for part in cut(ring):
                write(part)


HEADER = """\
# Outlines of countries and territories, 1:50 million, de facto control as Natural Earth draws it.
# Source: Natural Earth 4.1 (public domain) by way of world-atlas 2.0.2 (ISC licence, Copyright
# 2013-2019 Michael Bostock), countries-50m.json of 2019-09; reduced by borders.py on 2026-11-22.
# "= CODE" opens a country; every line after it is one ring, outer or hole alike (fill by even-odd):
# longitude and latitude of the first point, then steps, all in hundredths of a degree.
# The code "--" is land that has none."""


def read_codes(path):
    rows = [line.split("\t") for line in open(path, encoding="utf-8") if not line.startswith("#")]
    return {row[1]: row[0] for row in rows}


def decode_arcs(atlas):
    (kx, ky), (tx, ty) = atlas["transform"]["scale"], atlas["transform"]["translate"]
    arcs = []
    for steps in atlas["arcs"]:
        x = y = 0
        points = []
        for dx, dy in steps:
            x, y = x + dx, y + dy
            points.append((x * kx + tx, y * ky + ty))
        arcs.append(points)
    return arcs


def code_of(feature, codes):
    name = feature["properties"]["name"]
    return BY_NAME.get(name) or codes[feature["id"]]


def rings_of(feature):
    polygons = feature["arcs"] if feature["type"] == "MultiPolygon" else [feature["arcs"]]
    return [ring for polygon in polygons for ring in polygon]


def join(ring, arcs):
    """The points of a ring, closed, longitudes continuous (they may leave -180..180)."""
    points = []
    for arc in ring:
        part = arcs[arc] if arc >= 0 else arcs[~arc][::-1]
        points += part[1:] if points else part
    return unwrap(points)


def unwrap(points):
    out = [points[0]]
    for x, y in points[1:]:
        out.append((x + 360 * round((out[-1][0] - x) / 360), y))
    return out


def area(points):
    """Area in steradians, by the trapezoids between a ring and the equator."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        total += (x2 - x1) * (math.sin(math.radians(y1)) + math.sin(math.radians(y2)))
    return abs(math.radians(total) / 2)


def triangle(a, b, c):
    """Area in steradians of a small triangle."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    middle = math.radians((a[1] + b[1] + c[1]) / 3)
    return abs(cross) / 2 * math.radians(1) ** 2 * math.cos(middle)


def simplify(arcs, features):
    limit = [SIMPLIFY_SR] * len(arcs)
    for _, rings in features:
        for ring in rings:
            own = RING_SHARE * area(join(ring, arcs))
            for arc in ring:
                index = arc if arc >= 0 else ~arc
                limit[index] = min(limit[index], own)
    return [visvalingam(unwrap(points), limit[index]) for index, points in enumerate(arcs)]


def visvalingam(points, limit):
    """Visvalingam and Whyatt, 1993: drops the point with the least triangle until all are large."""
    before = list(range(-1, len(points) - 1))
    after = list(range(1, len(points) + 1))
    size = [math.inf] * len(points)
    gone = [False] * len(points)
    heap = []

    def weigh(at, least):
        size[at] = max(least, triangle(points[before[at]], points[at], points[after[at]]))
        heapq.heappush(heap, (size[at], at))

    for at in range(1, len(points) - 1):
        weigh(at, 0.0)
    closed = points[0] == points[-1]
    left = len(points)
    while heap and left > (4 if closed else 2):
        weight, at = heapq.heappop(heap)
        if gone[at] or weight != size[at]:
            continue
        if weight >= limit:
            break
        gone[at] = True
        left -= 1
        after[before[at]], before[after[at]] = after[at], before[at]
        for near in (before[at], after[at]):
            if 0 < near < len(points) - 1:
                weigh(near, weight)
    return [point for at, point in enumerate(points) if not gone[at]]


def territory(code, points):
    x, y = points[0]
    for country, own, west, south, east, north in TERRITORIES:
        if code == country and west <= x <= east and south <= y <= north:
            return own
    return code


def cut(points):
    """The parts of a ring on each side of the antimeridian, moved into -180..180."""
    west = min(x for x, _ in points)
    shift = 360 * math.floor((west + 180) / 360)
    points = [(x - shift, y) for x, y in points]
    if max(x for x, _ in points) <= 180:
        return [points]
    east = clip(points, lambda x: x - 180)
    return [clip(points, lambda x: 180 - x), [(x - 360, y) for x, y in east]]


def clip(points, side):
    """Sutherland and Hodgman, 1974, against the antimeridian: keeps what has side(longitude) >= 0."""
    out = []
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        inside1, inside2 = side(x1) >= 0, side(x2) >= 0
        if inside1:
            out.append((x1, y1))
        if inside1 != inside2:
            out.append((180.0, y1 + (y2 - y1) * (180 - x1) / (x2 - x1)))
    return out + out[:1]


def write(points):
    grid = [(round(x * 100), round(y * 100)) for x, y in points]
    line = list(grid[0])
    last = grid[0]
    for point in grid[1:-1]:
        if point != last:
            line += [point[0] - last[0], point[1] - last[1]]
            last = point
    if len(line) >= 6:
        print(*line)


if __name__ == "__main__":
    main()
