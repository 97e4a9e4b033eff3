# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge extractor role by Canny's detector: what Canny ControlNets were trained on."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2gray
from skimage.feature import canny

from models.roles import EdgeMap, Picture
from semcom_blocks.errors import require_range

DEFAULT_SIGMA = 1.0
LOW, HIGH = 100 / 255, 200 / 255  # thresholds of the published Canny ControlNets


class CannyEdges:
    """Picture → edge map of 0 and 255. ``sigma``: of the Gaussian before it, in pixels."""

    name = "canny"

    def __init__(self, sigma: float = DEFAULT_SIGMA) -> None:
        self._sigma = float(require_range("sigma", sigma, 0.1, 20.0))

    def edges(self, picture: Picture) -> EdgeMap:
        """See :class:`models.roles.EdgeExtractor`."""
        found = canny(rgb2gray(picture), self._sigma, LOW, HIGH)
        return np.where(found, 255, 0).astype(np.uint8)
