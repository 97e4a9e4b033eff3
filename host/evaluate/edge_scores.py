# SPDX-License-Identifier: GPL-3.0-or-later
"""How well edge maps agree: thinning, matching within a distance, precision, recall and F."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

BERKELEY_DISTANCE = 0.0075  # of the diagonal: what the Berkeley benchmark calls a match
NMS_SIGMA = 2.0  # pixels; orientation of an edge from its smoothed surroundings
NMS_MARGIN = 1.01  # a ridge may be this much lower than its neighbour, against rounding


def thinned(edges: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Soft map (H,W) with all but the ridges set to 0 (non-maximum suppression across the edge).

    The direction across is that of the strongest curvature of the smoothed map, as in Dollár and
    Zitnick, "Structured forests for fast edge detection", ICCV 2013.
    """
    values = edges.astype(np.float64) / 255
    smooth = gaussian_filter(values, NMS_SIGMA)
    down, across = np.gradient(smooth)
    xx, xy = np.gradient(across, axis=1), np.gradient(across, axis=0)
    yy = np.gradient(down, axis=0)
    # Eigenvector of the Hessian whose eigenvalue is largest by magnitude: on a ridge and beside it
    # it points across.
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.where(xx + yy < 0, np.pi / 2, 0)
    step_x, step_y = np.cos(angle), np.sin(angle)
    rows, columns = np.indices(values.shape)
    fine = gaussian_filter(values, 0.5)
    keep = np.ones(values.shape, bool)
    for sign in (-1, 1):
        place = [rows + sign * step_y, columns + sign * step_x]
        keep &= fine * NMS_MARGIN >= map_coordinates(fine, place, order=1, mode="nearest")
    return np.where(keep, values, 0.0)


def reach(shape: tuple[int, ...], share: float = BERKELEY_DISTANCE, least: float = 1.0) -> float:
    """Distance in pixels within which edges match: ``share`` of the diagonal, or ``least``."""
    return max(least, share * float(np.hypot(*shape)))


def pairs_within(found: NDArray[np.bool_], drawn: NDArray[np.bool_], distance: float) -> csr_array:
    """Which found pixel (row) is within ``distance`` of which drawn pixel (column)."""
    height, width = found.shape
    number = np.full((height, width), -1)
    number[drawn] = np.arange(np.count_nonzero(drawn))
    rows, columns = np.nonzero(found)
    index = np.arange(len(rows))
    pairs = []
    whole = int(distance)
    for dy in range(-whole, whole + 1):
        for dx in range(-whole, whole + 1):
            if np.hypot(dx, dy) > distance:
                continue
            y, x = rows + dy, columns + dx
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            partner = number[y[inside], x[inside]]
            there = partner >= 0
            pairs.append(np.stack((index[inside][there], partner[there])))
    both = np.concatenate(pairs, axis=1)
    shape = (len(rows), int(np.count_nonzero(drawn)))
    return csr_array((np.ones(both.shape[1], np.int8), (both[0], both[1])), shape=shape)


def matched(graph: csr_array) -> NDArray[np.bool_]:
    """Which rows have a partner when as many as can be have one each, no partner twice."""
    if 0 in graph.shape or not graph.nnz:
        return np.zeros(graph.shape[0], bool)
    return maximum_bipartite_matching(graph, perm_type="column") >= 0


def f_score(precision: float, recall: float) -> float:
    """Harmonic mean, 0 where both are 0."""
    both = precision + recall
    return 2 * precision * recall / both if both else 0.0


def near_f(reference: NDArray[np.uint8], edges: NDArray[np.uint8], distance: float) -> float:
    """F of two maps cut at 128: a pixel is right if the other map has one within ``distance``.

    Not one to one: made for maps with lines of equal breadth. Two empty maps agree (1).
    """
    a, b = reference >= 128, edges >= 128
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision = float(np.mean(distance_transform_edt(~a)[b] <= distance))
    recall = float(np.mean(distance_transform_edt(~b)[a] <= distance))
    return f_score(precision, recall)
