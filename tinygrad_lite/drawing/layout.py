"""Where boxes go: layers from top to bottom, few crossings, short and straight edges.

The method is that of Sugiyama, Tagawa and Toda 1981, "Methods for visual understanding of
hierarchical system structures": layers by longest path, an order within each by barycentres,
then places. Everything is decided by the order of what is given. It imports the standard
library only.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import NamedTuple

__all__ = ["Layout", "place"]

_GAP = 18        # between boxes side by side
_BEND = 8        # the width that an edge takes up where it passes a layer
_DROP = 30       # between layers, at least
_SWEEPS = 24
_PULL = (1.0, 2.0, 8.0)  # of a link that joins no, one or two bends

Point = tuple[float, float]


class Layout(NamedTuple):
    """Where everything is, in pixels from the upper left corner."""

    corners: list[Point]         # the upper left one of each box
    routes: list[list[Point]]    # of each edge: a straight piece, a curve, and so on
    width: float
    height: float


def place(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Places for boxes of these sizes (width, height), joined by edges (from, to).

    An edge leads down, from the middle of a box's lower side to the upper side of another.
    """
    layer = _layers(len(sizes), edges)
    chains, widths, level = _chains(edges, layer, [width for width, _ in sizes])
    rows = _rows(chains, level)
    x = _columns(rows, chains, widths, len(sizes))
    left = min(center - width / 2 for center, width in zip(x, widths))
    x = [center - left for center in x]
    tops, heights = _tops(rows, chains, x, sizes)
    y = [tops[layer[i]] + (heights[layer[i]] - h) / 2 for i, (_, h) in enumerate(sizes)]
    corners = [(x[i] - w / 2, y[i]) for i, (w, _) in enumerate(sizes)]
    ports = _ports(chains, x, widths)
    routes = []
    for a, *bends, b in chains:
        route = [(x[a], y[a] + sizes[a][1]), (x[a], tops[layer[a]] + heights[layer[a]])]
        for i in bends:
            top = tops[level[i]]
            route += [(x[i], top), (x[i], top + heights[level[i]])]
        end = ports[bends[-1] if bends else a, b]
        routes.append([*route, (end, tops[layer[b]]), (end, y[b])])
    right = max(center + width / 2 for center, width in zip(x, widths))
    return Layout(corners, routes, right, tops[-1] + heights[-1])


def _layers(n: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box, 0 on top: as far down as what it leads to allows."""
    sorter: TopologicalSorter = TopologicalSorter({i: [] for i in range(n)})
    after: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges:
        sorter.add(a, b)
        after[a].append(b)
    height = [0] * n
    for i in sorter.static_order():
        height[i] = 1 + max((height[j] for j in after[i]), default=-1)
    return [max(height) - h for h in height]


def _chains(edges: Sequence[tuple[int, int]], layer: list[int], widths: Sequence[float]
            ) -> tuple[list[list[int]], list[float], list[int]]:
    """Each edge as a chain from layer to layer, over bends that a box's edges share.

    Returns:
        The chains, and the width and layer of each box and bend.
    """
    widths, level = list(widths), list(layer)
    bends: dict[tuple[int, int], int] = {}
    chains = []
    for a, b in edges:
        between = []
        for at in range(layer[a] + 1, layer[b]):
            if (a, at) not in bends:
                bends[a, at] = len(level)
                level.append(at)
                widths.append(_BEND)
            between.append(bends[a, at])
        chains.append([a, *between, b])
    return chains, widths, level


def _neighbours(chains: list[list[int]], n: int) -> tuple[list[list[int]], list[list[int]]]:
    """For each box and bend those that lead to it, and those that it leads to."""
    above: list[list[int]] = [[] for _ in range(n)]
    below: list[list[int]] = [[] for _ in range(n)]
    for a, b in dict.fromkeys(link for chain in chains for link in zip(chain, chain[1:])):
        above[b].append(a)
        below[a].append(b)
    return above, below


def _rows(chains: list[list[int]], level: list[int]) -> list[list[int]]:
    """What is in each layer, from left to right, in the order with the fewest crossings."""
    above, below = _neighbours(chains, len(level))
    rows: list[list[int]] = [[] for _ in range(max(level) + 1)]
    seen: set[int] = set()
    for at in reversed(range(len(rows))):  # inputs in their order, above what they lead to
        row = rows[at]
        row += [i for i in range(len(level)) if level[i] == at and i not in seen]
        for i in row:
            fresh = [j for j in above[i] if j not in seen]
            seen.update(fresh)
            if at:
                rows[at - 1] += fresh
    best = [list(row) for row in rows]
    fewest = _crossings(rows, below)
    for sweep in range(_SWEEPS):
        down = sweep % 2
        near = above if down else below
        position = {i: k for row in rows for k, i in enumerate(row)}
        for row in rows if down else reversed(rows):
            mean = {i: sum(position[j] for j in near[i]) / len(near[i]) if near[i]
                    else position[i] for i in row}
            row.sort(key=mean.__getitem__)
            position.update({i: k for k, i in enumerate(row)})
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    """How many pairs of edges cross."""
    count = 0
    for row, next_row in zip(rows, rows[1:]):
        position = {i: k for k, i in enumerate(next_row)}
        ends: list[int] = []
        for i in row:
            targets = sorted(position[j] for j in below[i])
            count += sum(len(ends) - bisect_right(ends, k) for k in targets)
            for k in targets:
                insort(ends, k)
    return count


def _columns(rows: list[list[int]], chains: list[list[int]], widths: list[float], n: int
             ) -> list[float]:
    """The middle of each box and bend: near the middle of its neighbours, in order.

    Boxes are the first n. Links pull the more, the more bends they join: long edges become
    straight.
    """
    above, below = _neighbours(chains, len(widths))
    pull = [[(j, _PULL[(i >= n) + (j >= n)]) for j in (*above[i], *below[i])]
            for i in range(len(widths))]
    x = [0.0] * len(widths)
    for sweep in range(_SWEEPS):
        for row in reversed(rows) if sweep % 2 else rows:
            weights = [sum(weight for _, weight in pull[i]) or 1.0 for i in row]
            wanted = [sum(x[j] * weight for j, weight in pull[i]) / total
                      for i, total in zip(row, weights)]
            places = _apart(wanted, weights, [widths[i] for i in row])
            for i, center in zip(row, places):
                x[i] = center
    return x


def _apart(wanted: list[float], weights: list[float], widths: list[float]) -> list[float]:
    """The places nearest to the wanted ones at which nothing overlaps.

    It minimises the weighted sum of squares. Without the room that is needed between them,
    places only have to grow, and neighbours that would not share their mean (pool adjacent
    violators; Ayer et al. 1955).
    """
    room = [0.0]
    for a, b in zip(widths, widths[1:]):
        room.append(room[-1] + (a + b) / 2 + _GAP)
    pools: list[tuple[float, float, int]] = []  # weighted sum, weight, how many places
    for w, r, weight in zip(wanted, room, weights):
        total, count = (w - r) * weight, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / weight:
            before = pools.pop()
            total, weight, count = total + before[0], weight + before[1], count + before[2]
        pools.append((total, weight, count))
    means = [total / weight for total, weight, count in pools for _ in range(count)]
    return [mean + r for mean, r in zip(means, room)]


def _tops(rows: list[list[int]], chains: list[list[int]], x: list[float],
          sizes: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Where each layer begins, and its height; edges that go far aside get more room."""
    heights = [max(sizes[i][1] for i in row if i < len(sizes)) for row in rows]
    at = {i: k for k, row in enumerate(rows) for i in row}
    aside = [0.0] * len(rows)
    for chain in chains:
        for a, b in zip(chain, chain[1:]):
            aside[at[b]] = max(aside[at[b]], abs(x[a] - x[b]))
    tops = [0.0]
    for height, far in zip(heights, aside[1:]):
        tops.append(tops[-1] + height + _DROP + min(far / 10, 60))
    return tops, heights


def _ports(chains: list[list[int]], x: list[float], widths: list[float]
           ) -> dict[tuple[int, int], float]:
    """Where each link into a box meets its upper side: spread, in order of where it is from."""
    links: dict[int, list[int]] = {}
    for *_, a, b in chains:
        links.setdefault(b, []).append(a)
    ports = {}
    for b, froms in links.items():
        froms.sort(key=lambda i: (x[i], i))
        step = min(16.0, 0.7 * widths[b] / len(froms))
        for k, a in enumerate(froms):
            ports[a, b] = x[b] + (k - (len(froms) - 1) / 2) * step
    return ports
