"""A replayed day as a picture: how full the fleet was, and how many requests had found no host. Plain SVG."""

from collections.abc import Callable, Sequence

from kilonova.scheduler.replay import CLASSES, Outcome, Sample

WIDTH, HEIGHT = 800, 250
LEFT, TOP, GAP = 70, 40, 60
COLOURS = ("#1f77b4", "#2ca02c", "#9467bd")
REFUSED = "#d62728"
HOUR_S = 3600.0
TICKS = 4


def day_svg(outcome: Outcome) -> str:
    """Two panels over the same hours: fill by class in per cent, and refusals so far."""
    samples = outcome.samples
    begin = samples[0].at if samples else 0.0
    hours = max((samples[-1].at - begin) / HOUR_S, 1e-9) if samples else 1.0
    below = TOP + HEIGHT + GAP
    most = max(outcome.refused, 1)

    def x(sample: Sample) -> float:
        return LEFT + (sample.at - begin) / HOUR_S / hours * WIDTH

    parts = [
        _text(LEFT, 20, f"{outcome.requests} requests, {outcome.hosts} hosts: {outcome.refused} refused"),
        *_panel(TOP, hours, "used", lambda part: f"{part:.0%}"),
        *_panel(below, hours, "refused", lambda part: f"{part * most:.0f}"),
    ]
    for at, (name, colour) in enumerate(zip(CLASSES, COLOURS, strict=True)):
        line = [(x(sample), TOP + HEIGHT * (1 - sample.fill[name])) for sample in samples]
        parts += [_line(line, colour), _text(LEFT + WIDTH - 330 + at * 120, 20, name, colour)]
    parts.append(_line([(x(one), below + HEIGHT * (1 - one.refused / most)) for one in samples], REFUSED))
    parts.append(_text(LEFT + WIDTH // 2, below + HEIGHT + 40, "hours"))
    size = f'width="{LEFT + WIDTH + 30}" height="{below + HEIGHT + 60}"'
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n' + "\n".join(parts) + "\n</svg>\n"


def _panel(top: float, hours: float, name: str, shown: Callable[[float], str]) -> list[str]:
    """The frame, its scales and its name."""
    parts = [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
        _text(4, top + HEIGHT / 2, name),
    ]
    for tick in range(TICKS + 1):
        part = tick / TICKS
        parts.append(_text(LEFT - 38, top + HEIGHT * (1 - part) + 4, shown(part)))
        parts.append(_text(LEFT + WIDTH * part - 8, top + HEIGHT + 16, f"{hours * part:.3g}"))
    return parts


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _text(x: float, y: float, text: str, colour: str = "#333") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}">{text}</text>'
