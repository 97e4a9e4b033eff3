# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture View: shows the last received picture and its prompt in a window of Qt."""

from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.base import PduBlock


class PictureView(PduBlock):
    """``picture`` in (u8, rows of RGB; dictionary: width, height, prompt), from a Picture Source.

    The block itself needs no Qt: :meth:`widget` makes what is shown, in Qt's own thread.
    """

    def __init__(self, title: str = "Received picture") -> None:
        super().__init__("Picture View", {"picture": self._on_picture})
        self._title = title
        self._widget: Any = None

    def widget(self) -> Any:
        """The QWidget; made when first asked for."""
        if self._widget is None:
            from semcom_blocks.gr.picture_widget import PictureWidget

            self._widget = PictureWidget(self._title)
        return self._widget

    def _on_picture(self, meta: dict[str, Any], pixels: np.ndarray) -> None:
        width, height, prompt = int(meta["width"]), int(meta["height"]), str(meta["prompt"])
        if pixels.dtype != np.uint8 or min(width, height) < 1 or len(pixels) != 3 * width * height:
            found = f"{pixels.dtype} ({len(pixels)},)"
            raise ConfigError(f"picture is {found}, permitted: uint8 ({3 * width * height},)")
        if self._widget is not None:
            self._widget.show_picture(width, height, pixels.tobytes(), prompt)
