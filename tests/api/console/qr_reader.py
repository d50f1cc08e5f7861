"""Reads the QR code of a page as a phone does: draws its SVG, and gives the picture to a reader of barcodes."""

from __future__ import annotations

import re

import zxingcpp

PIXELS = 4
"""The side of a module."""
STEP = re.compile(r"([Mmh])([^a-zA-Z]*)")
NUMBER = re.compile(r"-?[\d.]+")


def read(page: str) -> list[str]:
    """Return the texts of the QR codes in the SVG of a page that has one; its lines are a unit high."""
    drawn = page.partition('class="qr"')[2].partition("</svg>")[0]
    side = int(drawn.partition('viewBox="0 0 ')[2].partition(" ")[0]) * PIXELS
    paper, ink = re.findall(r'(?:fill|stroke)="(#\w+)" d="', drawn)
    assert (paper, ink) == ("#fff", "#000")
    picture = [bytearray(b"\xff" * side) for _ in range(side)]
    x = y = 0.0
    for step, given in STEP.findall(re.findall(r'stroke="#000" d="([^"]*)"', drawn)[0]):
        first, *more = (float(number) for number in NUMBER.findall(given))
        if step == "h":
            for row in range(int(y - 0.5) * PIXELS, int(y + 0.5) * PIXELS):
                picture[row][int(x) * PIXELS : int(x + first) * PIXELS] = bytes(int(first) * PIXELS)
            x += first
        else:
            x, y = (first, more[0]) if step == "M" else (x + first, y + more[0])
    image = memoryview(b"".join(picture)).cast("B", (side, side))
    return [one.text for one in zxingcpp.read_barcodes(image)]
