"""Known failures: which bug a line of a log speaks of. Pure.

Signatures are elastic-recheck's: a file for each bug, with a `query`. Before each of them is tried, one pass with all their
phrases at once (RE2's sets) leaves out the parts of a log that none can fit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import re2
import yaml

from kilonova.health.ci.lucene import BadQuery, Query, Values, fits, needed, query_read, words
from kilonova.health.stats import Rate, wilson

PIECE = 1 << 16
"""How much of a log is looked at at once, in bytes; never less than a line."""
PRECISION_MIN = 0.95
"""The lower bound of the share of hits in failing logs, below which a signature says too little."""
WORDS_MAX = 12
"""Most words of a phrase that the first pass looks for."""


class Signature(msgspec.Struct, frozen=True):
    """A known failure."""

    bug: str
    text: str
    """The query as it is written."""
    query: Query


class Refused(msgspec.Struct, frozen=True):
    """A signature that can't be read."""

    bug: str
    reason: str


class Hit(msgspec.Struct, frozen=True):
    """A line that a signature fits."""

    bug: str
    line: int
    """Counted from 1."""
    text: str


def signature_read(bug: str, document: str) -> Signature | Refused:
    """A signature as elastic-recheck's file for a bug has it."""
    try:
        found = yaml.safe_load(document)
        if not isinstance(found, Mapping) or not isinstance(found.get("query"), str):
            return Refused(bug, "it has no query")
        text = " ".join(found["query"].split())
        return Signature(bug, text, query_read(text))
    except (yaml.YAMLError, BadQuery) as error:
        return Refused(bug, error.message if isinstance(error, BadQuery) else str(error))


class Signatures:
    """Many signatures, ready to be looked for."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        """Compile the first pass."""
        self.signatures = tuple(signatures)
        options = re2.Options()
        options.case_sensitive = False
        options.max_mem = 512 << 20
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._owners: list[int] = []
        self._always: list[int] = []
        for number, signature in enumerate(self.signatures):
            phrases = needed(signature.query)
            for phrase in phrases:
                self._set.Add("[^a-z0-9_]+".join(words(phrase)[:WORDS_MAX]))
                self._owners.append(number)
            if not phrases:
                self._always.append(number)
        if self._owners:
            self._set.Compile()

    def of(self, line: Values) -> list[str]:
        """The bugs that one line speaks of."""
        return [one.bug for one in self.signatures if fits(one.query, line)]

    def hits(self, log: bytes, about: Values) -> Iterator[Hit]:
        """The lines of a log that signatures fit.

        Args:
            log: as it is.
            about: what is known of the file and its build, by field: `filename`, `tags`, `build_name` and so on.
        """
        begin, number = 0, 1
        while begin < len(log):
            end = log.find(b"\n", begin + PIECE)
            piece = log[begin : len(log) if end < 0 else end + 1]
            candidates = self._candidates(piece)
            if candidates:
                yield from self._in_piece(piece, number, candidates, about)
            number += piece.count(b"\n")
            begin += len(piece)

    def _candidates(self, piece: bytes) -> list[Signature]:
        found = {self._owners[place] for place in self._set.Match(piece) or ()} if self._owners else set()
        return [self.signatures[number] for number in sorted(found.union(self._always))]

    def _in_piece(self, piece: bytes, first: int, candidates: Sequence[Signature], about: Values) -> Iterator[Hit]:
        for number, raw in enumerate(piece.split(b"\n"), first):
            text = raw.decode(errors="replace")
            line = {**about, "message": text}
            for signature in candidates:
                if fits(signature.query, line):
                    yield Hit(signature.bug, number, text)


def precision(signatures: Signatures, failing: Iterable[bytes], passing: Iterable[bytes]) -> dict[str, Rate]:
    """By bug, the share of logs with a hit that are of failed builds."""
    hits: dict[str, list[int]] = {one.bug: [0, 0] for one in signatures.signatures}
    for column, logs in enumerate((failing, passing)):
        for log in logs:
            for bug in {hit.bug for hit in signatures.hits(log, {})}:
                hits[bug][column] += 1
    return {bug: wilson(failed, failed + passed) for bug, (failed, passed) in hits.items()}
