"""Posting a decision: what Gerrit and GitHub are told, by whom, and what happens when they refuse."""

import asyncio

import httpx
import msgspec
import pytest

from kilonova.health.ci.gate import Decision, Outcome, Reason
from kilonova.health.ci.posting import NoCredentials, NotPosted, post

GERRIT = {"GERRIT_USER": "kilonova", "GERRIT_PASSWORD": "secret"}
REASON = Reason(Outcome.FAIL, "acme failed", "acme")


def decision(subject: str, outcome: Outcome) -> Decision:
    return Decision(
        subject, 3, "abc", "2026-11-25T00:00:00Z", outcome, (msgspec.structs.replace(REASON, outcome=outcome),), ""
    )


def posted(
    made: Decision, environment: dict[str, str], status: int = 200
) -> tuple[str, httpx.Request, dict[str, object]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, text="told")

    async def run() -> str:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await post(client, made, environment)

    words = asyncio.run(run())
    return words, asked[0], msgspec.json.decode(asked[0].content)


@pytest.mark.parametrize(
    ("outcome", "vote"),
    [(Outcome.PASS, 1), (Outcome.FAIL, -1), (Outcome.BLOCKED, -1), (Outcome.PENDING, 0), (Outcome.UNKNOWN, 0)],
)
def test_post__gerrit__votes_on_the_very_patch_set(outcome: Outcome, vote: int) -> None:
    _, request, body = posted(decision("review.example.org/7", outcome), GERRIT)
    assert str(request.url) == "https://review.example.org/a/changes/7/revisions/3/review"
    assert body["labels"] == {"Kilonova-CI": vote}
    assert request.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.PASS, "success"), (Outcome.PENDING, "pending"), (Outcome.UNKNOWN, "error")]
)
def test_post__github__sets_the_status_of_the_revision(outcome: Outcome, state: str) -> None:
    words, request, body = posted(decision("github.com/demo/compute/7", outcome), {"GITHUB_TOKEN": "t"})
    assert str(request.url) == "https://api.github.com/repos/demo/compute/statuses/abc"
    assert (body["state"], body["context"]) == (state, "kilonova/ci-gate")
    assert words == f"kilonova/ci-gate: {state}"


@pytest.mark.parametrize("subject", ["review.example.org/7", "github.com/demo/compute/7"])
def test_post__without_credentials__says_which(subject: str) -> None:
    with pytest.raises(NoCredentials):
        posted(decision(subject, Outcome.PASS), {})


def test_post__refused__says_why() -> None:
    with pytest.raises(NotPosted, match="403: told"):
        posted(decision("review.example.org/7", Outcome.PASS), GERRIT, 403)
