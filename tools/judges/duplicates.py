"""`python -m tools.judge_duplicates DIRECTORY`: are real duplicates found, and how fast among 100,000 bugs?

DIRECTORY holds the sets of GitBugs (arXiv:2504.09651, CC BY 4.0): `gitbugs-NAME_bugs.csv.gz` with the reports, and
`gitbugs-NAME_bugs-combined.csv.gz` with the pairs that people have confirmed.
"""

import argparse
import csv
import gzip
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

from kilonova.health.bugs.duplicates.index import Index
from kilonova.health.stats import wilson

FLOORS = {"hadoop": 0.80, "SeaMonkey": 0.85}
"""The share of reports with a duplicate among the first ten that must be reached, by set."""
LATENCY_MAX_S = 0.020
BUGS = 100_000
QUESTIONS = 400
DEPTHS = (1, 5, 10, 20)

Reports = dict[str, tuple[str, str]]


def main() -> int:
    """Judge; 0 when every floor is reached."""
    parser = argparse.ArgumentParser(prog="python -m tools.judge_duplicates", description=sys.modules[__name__].__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    csv.field_size_limit(10**9)
    if not all(_file(directory, name, "_bugs").exists() for name in FLOORS):
        print(f"{directory} does not hold the sets {', '.join(FLOORS)}", file=sys.stderr)
        return 2
    held = [_judged(directory, name, floor) for name, floor in FLOORS.items()]
    held.append(_fast([report for name in FLOORS for report in _reports(directory, name).values()]))
    return 0 if all(held) else 1


def _judged(directory: Path, name: str, floor: float) -> bool:
    reports, partners = _reports(directory, name), _partners(directory, name)
    index = Index()
    for key, (title, text) in reports.items():
        index.add(key, title, text)
    index.settle()
    ranks = []
    for key, wanted in partners.items():
        found = [match.key for match in index.find(*reports[key], max(DEPTHS) + 1) if match.key != key]
        ranks.append(next((rank for rank, one in enumerate(found, 1) if one in wanted), None))
    rates = {depth: wilson(sum(rank is not None and rank <= depth for rank in ranks), len(ranks)) for depth in DEPTHS}
    told = ", ".join(f"@{depth} {rate.value or 0:.3f}" for depth, rate in rates.items())
    mean = sum(1 / rank for rank in ranks if rank) / len(ranks)
    ten = rates[10]
    print(f"{name}: {len(reports)} reports, {len(ranks)} with a duplicate: recall {told}, MRR {mean:.3f}")
    print(f"{name}: recall@10 in [{ten.low:.3f}, {ten.high:.3f}], floor {floor}")
    return (ten.value or 0.0) >= floor


def _fast(reports: list[tuple[str, str]]) -> bool:
    """Search among made reports: words of two titles, sentences of five texts, and a name of their own."""
    chance = random.Random(1)
    titles = [title.split() for title, _ in reports]
    sentences = [[part for part in text.replace("\n", ". ").split(". ") if part] for _, text in reports]

    def made() -> tuple[str, str]:
        first, second, *others = (chance.randrange(len(reports)) for _ in range(5))
        title = titles[first][: chance.randrange(2, 9)] + titles[second][-chance.randrange(1, 5) :]
        parts = [chance.choice(sentences[one]) for one in (first, second, *others) if sentences[one]]
        return " ".join(title), ". ".join(parts) + f" {chance.getrandbits(20):x} node{chance.randrange(5000)}"

    index, begun = Index(), time.process_time()
    for number in range(BUGS):
        index.add(str(number), *made())
    index.settle()
    print(f"{BUGS} bugs: indexed in {time.process_time() - begun:.0f} s of CPU")
    spans = []
    for number in range(QUESTIONS):
        question = chance.choice(reports) if number % 2 else made()
        begun = time.process_time()
        index.find(*question)
        spans.append(time.process_time() - begun)
    spans.sort()
    p50, p95 = (spans[int(share * len(spans))] for share in (0.5, 0.95))
    print(
        f"{BUGS} bugs: a search p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms of CPU, ceiling {LATENCY_MAX_S * 1000:.0f} ms"
    )
    return p95 < LATENCY_MAX_S


def _reports(directory: Path, name: str) -> Reports:
    with gzip.open(_file(directory, name, "_bugs"), "rt", encoding="utf-8") as stream:
        return {row["Issue id"]: (row["Summary"], row["Description"] or "") for row in csv.DictReader(stream)}


def _partners(directory: Path, name: str) -> dict[str, set[str]]:
    """The duplicates of each report, both ways."""
    known, found = _reports(directory, name), defaultdict(set)
    with gzip.open(_file(directory, name, "_bugs-combined"), "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            for other in row["Duplicate id"].replace(",", " ").split():
                if {row["Issue id"], other} <= known.keys() and other != row["Issue id"]:
                    found[row["Issue id"]].add(other)
                    found[other].add(row["Issue id"])
    return found


def _file(directory: Path, name: str, what: str) -> Path:
    return directory / f"gitbugs-{name}{what}.csv.gz"


if __name__ == "__main__":
    sys.exit(main())
