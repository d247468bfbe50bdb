"""Microversions: which version of a service a request asks for (API guide, "Microversions")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kilonova.kernel.errors import Invalid, NotAcceptable
from kilonova.kernel.versions import Level, Line

VERSION = r"[1-9]\d*\.(?:0|[1-9]\d*)"
"""What a version looks like, unless a service takes more for one."""


class MalformedVersion(Invalid):
    """API Version String {given} is of invalid format. Must be of format MajorNum.MinorNum."""

    code = "malformed-version"


class UnsupportedVersion(NotAcceptable):
    """Version {given} is not supported by the API. Minimum is {minimum} and maximum is {maximum}."""

    code = "unsupported-version"


@dataclass(frozen=True)
class Negotiation:
    """How one service agrees on a version."""

    service: str
    """The service type in `OpenStack-API-Version`, e.g. `compute`."""
    line: Line
    legacy_header: str | None = None
    """An older header with only the version in it, e.g. `X-OpenStack-Nova-API-Version`."""
    vary: str = "OpenStack-API-Version"
    """How `Vary` writes that header."""
    pattern: str = VERSION
    """What is `unsupported` rather than `malformed`, when there is no such version."""
    malformed: type[Invalid] = MalformedVersion
    """Says in the service's words that `given` is no version."""
    unsupported: type[NotAcceptable] = UnsupportedVersion
    """Says that the service has no version `given`; `minimum` and `maximum` are those it has."""

    def level(self, headers: Mapping[str, str]) -> Level:
        """The level that the headers ask for; the oldest without any.

        Raises `malformed` (400) and `unsupported` (406).
        """
        given = self._asked(headers)
        if given is None:
            return self.line.level(self.line.labels[0])
        if given in self.line.positions:
            return self.line.level(given)
        if given == "latest":
            return self.line.newest
        if not re.fullmatch(self.pattern, given):
            raise self.malformed(given=given)
        raise self.unsupported(given=given, minimum=self.line.labels[0], maximum=self.line.labels[-1])

    def headers(self, level: Level) -> tuple[tuple[str, str], ...]:
        """What the reply says about its version; a `Vary` for each header that was looked at."""
        told = (("OpenStack-API-Version", f"{self.service} {level.label}"), ("Vary", self.vary))
        if self.legacy_header is None:
            return told
        return (*told, (self.legacy_header, level.label), ("Vary", self.legacy_header))

    def _asked(self, headers: Mapping[str, str]) -> str | None:
        for part in headers.get("openstack-api-version", "").split(","):
            service, _, version = part.strip().partition(" ")
            if service.lower() == self.service:
                return version.strip() or service
        legacy = self.legacy_header and headers.get(self.legacy_header.lower())
        return legacy.strip() if legacy else None
