"""Support bundles: what is needed to understand a report, without what must not leave the machine. Pure.

A bundle is a compressed archive with `manifest.json` and a JSON document for each part; the same parts make the same bytes. Texts
are cleaned before they go in: what looks like a secret is replaced, in every part and however deep.
"""

import gzip
import hashlib
import io
import math
import re
import tarfile
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.kernel.errors import Invalid

FORMAT = "kilonova-bundle/1"
PART_MAX = 10_000_000
"""Most bytes of one part that are read."""
HIDDEN = "<hidden>"
RANDOM_LETTERS = 24
RANDOM_BITS = 3.6
"""A word of so many letters with so much entropy each is taken for a secret."""
PIECE_LETTERS = 16
"""Unless it is made of pieces shorter than this, as names and versions are."""

_KEYS = re.compile(
    r"pass(?:word|wd|phrase)?$|secret|token|credential|private_?key|api_?key|access_?key|authorization|cookie|adminpass|"
    r"connection$",
    re.IGNORECASE,
)
_SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+(?=@)"),
    re.compile(r"(?i)(?<=bearer )\S+|(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"\bgAAAAA[\w=-]+"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}"),
    re.compile(r"(?i)(?<=x-auth-token: )\S+|(?<=x-subject-token: )\S+|(?<=cookie: )[^\n]+"),
)
_NAMED = re.compile(
    r"""(?ix)(["']?\b[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api_?key|private_?key)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;}&]+)"""
)
_WORD = re.compile(r"[A-Za-z0-9+/_=-]{%d,}" % RANDOM_LETTERS)  # noqa: UP031 - braces mean something else here
_HARMLESS = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|(?:req-)?[0-9a-fA-F-]{36,40}|[A-Z_0-9]+|[a-z]+(?:[_/-][a-z]+)+"
)


class NoBundle(Invalid):
    """{path} is no support bundle: {reason}"""

    code = "no-bundle"


class Bundle(msgspec.Struct, frozen=True):
    """A bundle as it was read."""

    id: str
    """A digest of its parts: the same for the same facts."""
    parts: dict[str, Any]


def packed(parts: Mapping[str, Any]) -> bytes:
    """The bundle of these parts, each anything that JSON can say."""
    documents = {name: msgspec.json.encode(cleaned(part), order="sorted") for name, part in sorted(parts.items())}
    sums = {name: hashlib.sha256(document).hexdigest() for name, document in documents.items()}
    manifest = msgspec.json.encode({"format": FORMAT, "sha256": sums})
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        for name, document in [("manifest", manifest), *documents.items()]:
            entry = tarfile.TarInfo(f"{name}.json")
            entry.size = len(document)
            archive.addfile(entry, io.BytesIO(document))
    return gzip.compress(inner.getvalue(), mtime=0)


def unpacked(data: bytes, path: str) -> Bundle:
    """Read a bundle and check its sums. Raises `NoBundle`, which names `path`."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            documents = {entry.name.removesuffix(".json"): _read(archive, entry) for entry in archive}
        manifest = msgspec.json.decode(documents.pop("manifest"))
        sums = {name: hashlib.sha256(document).hexdigest() for name, document in documents.items()}
        if manifest["format"] != FORMAT or manifest["sha256"] != sums:
            raise NoBundle(path=path, reason="its parts are not those that its manifest names.")
        parts = {name: msgspec.json.decode(document) for name, document in documents.items()}
    except (tarfile.TarError, OSError, EOFError, LookupError, TypeError, msgspec.DecodeError) as error:
        raise NoBundle(path=path, reason=str(error) or type(error).__name__) from error
    whole = hashlib.sha256("".join(f"{name}{sums[name]}" for name in sorted(sums)).encode()).hexdigest()
    return Bundle(whole[:16], parts)


def summary(bundle: Bundle) -> tuple[str, str]:
    """A title and a text for the bug that is opened from a bundle."""
    failed = [one for one in bundle.parts.get("operations", {}).get("found", ()) if one.get("error")]
    first = failed[0] if failed else None
    title = f"{first['kind']} {first['state']}: {first['error']}" if first else "Report without a failed operation"
    versions = bundle.parts.get("versions", {})
    lines = [f"Bundle {bundle.id}.", "", *(f"{name}: {value}" for name, value in sorted(versions.items()))]
    lines += ["", *(f"{one['kind']} of {one['server_id']}, {one['state']}: {one['error']}" for one in failed[:20])]
    if (seed := bundle.parts.get("simulation", {}).get("seed")) is not None:
        lines += ["", f"Replays with: kilonova sim run --seeds {seed}..{seed}"]
    return title[:200], "\n".join(lines)


def cleaned(value: Any, key: str = "") -> Any:
    """The same without what looks like a secret."""
    if isinstance(value, Mapping):
        return {str(name): cleaned(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(inner, key) for inner in value]
    if isinstance(value, str):
        return HIDDEN if value and _KEYS.search(key) else cleaned_text(value)
    return HIDDEN if value and _KEYS.search(key) and not isinstance(value, bool) else value


def cleaned_text(text: str) -> str:
    """A text in which `<hidden>` stands for what looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(HIDDEN, text)
    text = _NAMED.sub(lambda found: found[1] + HIDDEN, text)
    return _WORD.sub(lambda found: HIDDEN if _random(found[0]) else found[0], text)


def _random(word: str) -> bool:
    longest = max(map(len, re.split(r"[-_/=]", word)))
    if _HARMLESS.fullmatch(word) or longest < PIECE_LETTERS or not re.search(r"\d", word):
        return False
    counts = Counter(word)
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values()) > RANDOM_BITS


def _read(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry)
    if stream is None or entry.size > PART_MAX:
        raise tarfile.TarError(f"{entry.name} can't be read")
    return stream.read()
