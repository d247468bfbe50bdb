"""Cold start: from `kilonova up` to the first answered request."""

from pathlib import Path

import httpx

from bench.figures import LIBRARIES, Figure, median_s, python
from tools.up_cloud import UpCloud

TIMES = 5


def measure(scratch: Path) -> list[Figure]:
    """On fresh state directories, then again and again on one of them."""
    numbers = iter(range(1000))

    def start(state: Path) -> None:
        cloud = UpCloud(state)
        cloud.start()
        try:
            httpx.get(cloud.url, trust_env=False).raise_for_status()
        finally:
            cloud.kill()

    start(scratch / "warm")
    floor = f"{median_s(lambda: python(LIBRARIES), TIMES):.2f} s"
    fresh = median_s(lambda: start(scratch / f"fresh-{next(numbers)}"), TIMES)
    old = median_s(lambda: start(scratch / "warm"), TIMES)
    floor_is = "Python imports the libraries"
    return [
        Figure("cold start, fresh state", f"{fresh:.2f} s", "≤ 1.0 s", floor, floor_is),
        Figure("cold start, old state", f"{old:.2f} s", "≤ 0.7 s", floor, floor_is),
    ]
