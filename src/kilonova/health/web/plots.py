"""Plots drawn on the server, as SVG that styles itself by the page's sheet. Pure; beside each of them stands a table."""

from collections.abc import Sequence

from kilonova.health.stats import Rate, Survival
from kilonova.health.web.html import Html, el

WIDTH, HEIGHT = 640, 180
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 28


def steps(survival: Survival, limit: float, label: str) -> Html:
    """A curve of Kaplan and Meier: the share that has come by each hour, to four times `limit` seconds, with a line at it."""
    span = 4 * limit

    def x(time: float) -> float:
        return round(LEFT + min(time, span) / span * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)

    path, come = [f"M{x(0)} {y(0)}"], 0.0
    for time, waiting in survival.steps:
        if time > span:
            break
        come = 1 - waiting
        path.append(f"H{x(time)}V{y(come)}")
    path.append(f"H{x(span)}")
    axes = [el("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=y(share), y2=y(share)) for share in (0, 0.5, 1)]
    words = [el("text", f"{share:.0%}", x=4, y=y(share) + 4) for share in (0, 0.5, 1)]
    hours = [
        el("text", f"{time / 3600:g} h", x=x(time) - 10, y=HEIGHT - 8) for time in (0, limit, 2 * limit, 3 * limit)
    ]
    line = el("line", class_="limit", x1=x(limit), x2=x(limit), y1=TOP, y2=HEIGHT - BOTTOM)
    return _svg(label, HEIGHT, *axes, *words, *hours, line, el("path", class_="curve", d="".join(path)))


def intervals(rates: Sequence[tuple[str, Rate]], label: str) -> Html:
    """Shares as dots on their intervals, one below the other."""
    left, row = 150, 26
    height = row * len(rates) + 24

    def x(share: float) -> float:
        return round(left + share * (WIDTH - left - RIGHT), 1)

    parts = [el("text", f"{share:.0%}", x=x(share) - 28 * share, y=height - 6) for share in (0, 0.5, 1)]
    for number, (name, rate) in enumerate(rates):
        y = row * number + row // 2
        parts.append(el("text", name, x=0, y=y + 4))
        parts.append(el("line", class_="axis", x1=x(0), x2=x(1), y1=y, y2=y))
        parts.append(el("line", class_="curve", x1=x(rate.low), x2=x(rate.high), y1=y, y2=y))
        if rate.value is not None:
            parts.append(el("circle", class_="mark", cx=x(rate.value), cy=y, r=5))
    return _svg(label, height, *parts)


def _svg(label: str, height: int, *parts: Html) -> Html:
    box = f"0 0 {WIDTH} {height}"
    return el("svg", el("title", label), *parts, viewBox=box, width=WIDTH, height=height, role="img", aria_label=label)
