"""The policy of a branch: which CI a change needs, by what it touches. Pure.

It is YAML, kept with the code, and read from the branch that a change is for, never from the change.
"""

from collections.abc import Iterable

import msgspec
import yaml

from kilonova.health.ci.globs import any_matches, matches
from kilonova.health.ci.voting import Thresholds
from kilonova.health.moments import BadDuration, duration
from kilonova.kernel.errors import Invalid

FILE = "ci-policy.yaml"
"""Where a repository keeps it."""
ALL_OF = "all-of:"
"""Before a glob of features, in a feature's list of CI systems: the systems of all of them."""


class BadPolicy(Invalid):
    """The policy {origin} can't be read: {reason}"""

    code = "bad-policy"


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the code, and the CI systems that prove it."""

    paths: tuple[str, ...]
    ci: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which features a requirement is about."""

    feature: str = "**"


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a change that touches a feature needs."""

    when: When = When()
    quorum: str = "all"
    """`all` of the feature's CI systems, or `any` of them."""
    carry: tuple[str, ...] = ("trivial_rebase", "no_code_change")
    """Over these kinds of new patch sets an earlier verdict still holds."""
    max_age: str = "7d"
    """An older verdict must be had again."""


class NewFeature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a change a new feature: a directory that no feature has, or a trailer of its message."""

    dir_globs: tuple[str, ...] = ()
    trailers: tuple[str, ...] = ("Feature", "Implements")
    needs: str = "result-on-this-change"


class Excuse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a known failure doesn't count."""

    signatures: str = "active"
    max_per_change: int = 1
    needs_retry: int = 1
    """How many further runs must have been tried."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    version: int
    features: dict[str, Feature] = {}
    require: tuple[Requirement, ...] = ()
    new_feature: NewFeature = NewFeature()
    excuse: Excuse = Excuse()
    unsupported: dict[str, str] = {}
    max_staleness: str = "15m"
    """Older knowledge decides nothing."""
    thresholds: Thresholds = Thresholds()

    def touched(self, files: Iterable[str]) -> tuple[str, ...]:
        """The features that a change of these files touches, in order of their names."""
        named = tuple(files)
        return tuple(
            sorted(name for name, one in self.features.items() if any(any_matches(one.paths, file) for file in named))
        )

    def systems_of(self, feature: str) -> tuple[str, ...]:
        """The CI systems of a feature."""
        found: list[str] = []
        for entry in self.features[feature].ci:
            if entry.startswith(ALL_OF):
                glob = entry.removeprefix(ALL_OF).strip()
                others = (name for name in sorted(self.features) if name != feature and _fits(glob, name))
                found += [ci for name in others for ci in self.features[name].ci if not ci.startswith(ALL_OF)]
            else:
                found.append(entry)
        return tuple(dict.fromkeys(found))

    def requirements_of(self, feature: str) -> tuple[Requirement, ...]:
        """What a change that touches a feature needs."""
        return tuple(one for one in self.require if _fits(one.when.feature, feature))

    def named(self) -> frozenset[str]:
        """Every CI system that something requires."""
        return frozenset(
            system for feature in self.features if self.requirements_of(feature) for system in self.systems_of(feature)
        )

    def new_directories(self, files: Iterable[str]) -> tuple[str, ...]:
        """Directories that a glob of `new_feature` knows and no feature has."""
        found = set()
        for file in files:
            pieces = file.split("/")
            for end in range(1, len(pieces)):
                directory = "/".join(pieces[:end])
                known = any(any_matches(one.paths, file) for one in self.features.values())
                if not known and any(matches(glob.rstrip("/"), directory) for glob in self.new_feature.dir_globs):
                    found.add(directory)
        return tuple(sorted(found))


def policy_read(text: str, origin: str = FILE) -> Policy:
    """A policy as it is written; `origin` names it in errors. Raises `BadPolicy`."""
    try:
        policy = msgspec.convert(yaml.safe_load(text), Policy)
        for one in policy.require:
            duration(one.max_age)
            if one.quorum not in {"all", "any"}:
                raise BadPolicy(origin=origin, reason=f"quorum is all or any, not {one.quorum!r}")
        duration(policy.max_staleness)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadPolicy(origin=origin, reason=str(error)) from error
    except BadDuration as error:
        raise BadPolicy(origin=origin, reason=error.message) from error
    if policy.version != 1:
        raise BadPolicy(origin=origin, reason=f"version {policy.version} is not known; 1 is")
    return policy


def _fits(glob: str, feature: str) -> bool:
    return matches(glob, feature)
