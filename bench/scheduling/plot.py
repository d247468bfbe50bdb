"""A plot of cost against hosts, as SVG."""

import math
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 380, 70, 50, 40, 170

Line = tuple[str, str, Sequence[tuple[int, float]]]
"""Its name, its colour, and its points: hosts and microseconds."""


def drawn(lines: Sequence[Line]) -> str:
    """The plot; both axes are logarithmic."""
    hosts = sorted({count for _, _, points in lines for count, _ in points})
    costs = [cost for _, _, points in lines for _, cost in points]
    low, high = 10 ** math.floor(math.log10(min(costs))), 10 ** math.ceil(math.log10(max(costs)))

    def x(count: float) -> float:
        part = math.log(count / hosts[0]) / math.log(hosts[-1] / hosts[0])
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(cost: float) -> float:
        return HEIGHT - BOTTOM - math.log(cost / low) / math.log(high / low) * (HEIGHT - BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">CPU of one decision against the number of hosts</text>',
    ]
    for count in hosts:
        parts.append(f'<line x1="{x(count):.0f}" x2="{x(count):.0f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(count):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{count:,}</text>')
    cost = low
    while cost <= high:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(cost):.0f}" y2="{y(cost):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(cost) + 4:.0f}" text-anchor="end">{_time(cost)}</text>')
        cost *= 10
    for name, colour, points in lines:
        path = " ".join(f"{x(count):.1f},{y(cost):.1f}" for count, cost in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(count):.1f}" cy="{y(cost):.1f}" r="3" fill="{colour}"/>' for count, cost in points]
        last = points[-1]
        parts.append(f'<text x="{x(last[0]) + 10:.0f}" y="{y(last[1]) + 4:.0f}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">hosts</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def write(lines: Sequence[Line], path: Path) -> None:
    """Draw into a file."""
    path.write_text(drawn(lines))


def _time(us: float) -> str:
    return f"{us:g} µs" if us < 1000 else f"{us / 1000:g} ms" if us < 1_000_000 else f"{us / 1_000_000:g} s"
