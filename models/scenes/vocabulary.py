# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the scene world and what they look like.

Order matters: a word's index is its class in every network and its column in every table.
"""

from __future__ import annotations

SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "white")
SIZES = ("small", "large")
TEXTURES = ("plain", "striped", "dotted")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")
BACKGROUNDS = ("black", "grey", "brown", "navy")
LIGHTS = ("left", "right", "above", "below")  # where the light comes from
RELATIONS = ("left of", "right of", "above", "below")
MAX_OBJECTS = 3
CELLS = len(ROWS) * len(COLUMNS)  # an object's cell is row * 3 + column; one object a cell at most

# sRGB in [0,1]
COLOUR_RGB = (
    (0.90, 0.10, 0.12),
    (0.12, 0.70, 0.20),
    (0.15, 0.30, 0.95),
    (0.95, 0.88, 0.12),
    (0.60, 0.18, 0.75),
    (0.97, 0.50, 0.08),
    (0.12, 0.82, 0.88),
    (0.95, 0.95, 0.95),
)
BACKGROUND_RGB = (
    (0.07, 0.07, 0.07),
    (0.45, 0.45, 0.45),
    (0.38, 0.24, 0.12),
    (0.07, 0.10, 0.30),
)
SIZE_RADIUS = (0.098, 0.146)  # of the side; a cell is 1/3 wide, so the large one just fits
