"""Events that are posted: a forged one changes nothing, a repeated one doubles nothing."""

import asyncio
import hmac
import json
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from kilonova.app.config import Health
from kilonova.app.health import health_opened, health_site
from kilonova.database.database import Transaction
from kilonova.health.store import event_counts_txn, facts_of_kinds_txn
from kilonova.runtime.real import RealRuntime
from unit.health.ci.documents import HOST, T0, ci_comment

SECRETS = Health(github_secret="It's a Secret to Everybody", gerrit_token="t" * 32)
STATUS = json.dumps(
    {
        "id": 1,
        "sha": "c0ffee",
        "state": "success",
        "context": "acme/unit",
        "created_at": "2026-01-05T10:00:00Z",
        "sender": {"login": "acme-ci"},
        "repository": {"full_name": "demo/compute"},
    }
).encode()
GERRIT = f"/hooks/gerrit?token={SECRETS.gerrit_token}"
Post = tuple[str, bytes, dict[str, str]]


def signed(body: bytes, delivery: str = "1", secret: str = SECRETS.github_secret or "", kind: str = "status") -> Post:
    signature = hmac.new(secret.encode(), body, sha256).hexdigest()
    headers = {"X-GitHub-Event": kind, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": f"sha256={signature}"}
    return "/hooks/github", body, headers


def _kept_txn(tx: Transaction) -> tuple[dict[str, int], int]:
    kinds = ["ci.built", "ci.commented", "ci.change", "ci.patchset"]
    return event_counts_txn(tx), len(facts_of_kinds_txn(tx, kinds, 0.0, 1e12))


def posted(path: Path, posts: list[Post], config: Health = SECRETS) -> tuple[list[int], dict[str, int], int]:
    """What each post was answered, and what is kept then: events by source, and facts."""

    path.mkdir(exist_ok=True)

    async def run() -> tuple[list[int], dict[str, int], int]:
        async with health_opened(path / "health.sqlite", RealRuntime()) as archive:
            transport = httpx.ASGITransport(app=health_site(archive, RealRuntime(), config))
            async with httpx.AsyncClient(transport=transport, base_url="http://health.example") as client:
                answers = [await client.post(to, content=body, headers=headers) for to, body, headers in posts]
            events, facts = await archive.database.read(_kept_txn)
            return [answer.status_code for answer in answers], events, facts

    return asyncio.run(run())


@pytest.mark.parametrize(
    "post",
    [
        signed(STATUS, secret="guessed"),
        (*signed(STATUS)[:1], STATUS.replace(b"success", b"failure"), signed(STATUS)[2]),
        ("/hooks/github", STATUS, {"X-GitHub-Event": "status"}),
        ("/hooks/gerrit?token=guessed", ci_comment(1, "SUCCESS", T0 + 60), {}),
        ("/hooks/gerrit", ci_comment(1, "SUCCESS", T0 + 60), {}),
    ],
)
def test_hook__forged__is_refused_and_changes_nothing(tmp_path: Path, post: Post) -> None:
    assert posted(tmp_path, [post]) == ([403], {}, 0)


def test_hook__right_ones_and_again_under_other_names__are_kept_once(tmp_path: Path) -> None:
    comment = ci_comment(1, "SUCCESS", T0 + 60)
    once = [signed(STATUS), (GERRIT, comment, {})]
    again = [signed(STATUS), signed(STATUS, delivery="2"), (GERRIT, comment, {})]
    _, events, facts = posted(tmp_path / "once", once)
    assert events == {"github:demo/compute": 1, f"gerrit:{HOST}": 1}
    assert facts > 1
    assert posted(tmp_path / "again", [*once, *again])[1:] == (events, facts)


def test_hook__signed_but_no_event__is_told_so(tmp_path: Path) -> None:
    assert posted(tmp_path, [signed(b"[]"), signed(b"{}"), signed(STATUS, kind="star")]) == ([400, 400, 200], {}, 0)


def test_hook__no_secret_agreed_on__has_no_address(tmp_path: Path) -> None:
    assert posted(tmp_path, [signed(STATUS, secret="")], Health()) == ([404], {}, 0)
