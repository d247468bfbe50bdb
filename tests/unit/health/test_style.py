"""The style sheet: every colour of text is readable on every ground, light and dark, as WCAG 2.2 (1.4.3, level AA) counts it."""

import re
from itertools import product

import pytest

from kilonova.health.web.page import style

AA = 4.5
TEXTS = ("ink", "faint", "link", "good", "bad", "wait", "none")
GROUNDS = ("paper", "band")


def schemes() -> dict[str, dict[str, str]]:
    """The colours by name, of the light scheme and of the dark one, which changes some of them."""
    sheet = bytes(style().body).decode()
    before, dark, after = sheet.partition("@media (prefers-color-scheme: dark)")
    assert dark
    light = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", before))
    return {"light": light, "dark": {**light, **dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", after))}}


def luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


def test_contrast__black_on_white__is_21() -> None:
    assert round(contrast("#000000", "#ffffff"), 6) == 21


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast__of_every_text_on_every_ground__is_aa(scheme: str) -> None:
    colours = schemes()[scheme]
    found = {(text, ground): contrast(colours[text], colours[ground]) for text, ground in product(TEXTS, GROUNDS)}
    assert {pair: ratio for pair, ratio in found.items() if ratio < AA} == {}
