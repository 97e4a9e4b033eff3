# SPDX-License-Identifier: GPL-3.0-or-later
"""The window of a Picture View: title, picture, prompt."""

from PyQt5 import QtCore, QtGui, QtWidgets

#: Room that the picture asks for; it takes whatever it is given.
SIZE_HINT = (320, 240)
#: A prompt may be 64 KiB long; what is cut off here is whole in the command's report.
MAX_PROMPT = 200


class _Canvas(QtWidgets.QWidget):
    """The picture, as large as fits, in its own proportions."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QtGui.QImage | None = None
        policy = QtWidgets.QSizePolicy.Expanding
        self.setSizePolicy(policy, policy)

    def sizeHint(self) -> QtCore.QSize:
        """See :class:`QtWidgets.QWidget`."""
        return QtCore.QSize(*SIZE_HINT)

    def show_image(self, image: QtGui.QImage) -> None:
        """Draw it, now and whenever the window changes."""
        self._image = image
        self.update()

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        """See :class:`QtWidgets.QWidget`."""
        painter = QtGui.QPainter(self)
        if self._image is None:
            painter.setPen(QtCore.Qt.gray)
            painter.drawText(self.rect(), QtCore.Qt.AlignCenter, "nothing received yet")
            return
        size = self._image.size().scaled(self.size(), QtCore.Qt.KeepAspectRatio)
        place = QtCore.QRect(QtCore.QPoint(0, 0), size)
        place.moveCenter(self.rect().center())
        painter.setRenderHint(QtGui.QPainter.SmoothPixmapTransform)
        painter.drawImage(place, self._image)


class PictureWidget(QtWidgets.QWidget):
    """Made and drawn in Qt's thread; :meth:`show_picture` may be called from any."""

    _arrived = QtCore.pyqtSignal(QtGui.QImage, str)

    def __init__(self, title: str) -> None:
        super().__init__()
        self._canvas = _Canvas()
        self._prompt = QtWidgets.QLabel()
        self._prompt.setWordWrap(True)
        # A sender's text is text, whatever it looks like.
        self._prompt.setTextFormat(QtCore.Qt.PlainText)
        self._prompt.setAlignment(QtCore.Qt.AlignCenter)
        heading = QtWidgets.QLabel(title)
        heading.setAlignment(QtCore.Qt.AlignCenter)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        column = QtWidgets.QVBoxLayout(self)
        for widget in (heading, self._canvas, self._prompt):
            column.addWidget(widget)
        column.setStretchFactor(self._canvas, 1)
        self._arrived.connect(self._show)

    def show_picture(self, width: int, height: int, rgb: bytes, prompt: str) -> None:
        """Show ``rgb``, height rows of width times 3 bytes, and the text below."""
        image = QtGui.QImage(rgb, width, height, 3 * width, QtGui.QImage.Format_RGB888)
        self._arrived.emit(image.copy(), prompt)

    def _show(self, image: QtGui.QImage, prompt: str) -> None:
        self._canvas.show_image(image)
        self._prompt.setText(prompt if len(prompt) <= MAX_PROMPT else prompt[:MAX_PROMPT] + "…")
