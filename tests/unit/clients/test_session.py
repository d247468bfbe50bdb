"""The shared session: login, renewal, endpoints, retries; and how the clients of Keystone, Glance and Cinder read refusals."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from kilonova.clients.cinder import CinderVolumes
from kilonova.clients.glance import GlanceImages
from kilonova.clients.keystone import KeystoneIdentity
from kilonova.clients.session import ATTEMPTS, RENEW_BEFORE_S, Credentials, ServiceSession, message_of
from kilonova.kernel.errors import Conflict, NotAuthenticated, NotFound, Unavailable
from kilonova.kernel.ids import UserId
from kilonova.objects.caller import Caller
from kilonova.runtime.real import RealRuntime

IMAGE = "6d2a4c5e-0000-4000-8000-000000000001"
CALLER = Caller(user_id=UserId("u"), user_name="u", token="callers")


class StillRuntime(RealRuntime):
    """A clock that moves when told, and sleep that only moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, delay_s: float) -> None:
        self.time += delay_s


class Cloud:
    """Keystone and another service; `answers` says what the other service does, in turn."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.logins = 0
        self.asked: list[httpx.Request] = []
        self.catalog = [endpoint("image", "http://image.test/v2", "A"), endpoint("image", "http://image-b.test", "B")]
        self.runtime = StillRuntime()

    def session(self, endpoints: dict[str, str] | None = None, region: str | None = "A") -> ServiceSession:
        account = Credentials(auth_url="http://keystone.test/v3/", username="nova", password="pw", region=region)
        return ServiceSession(account, self.runtime, endpoints, httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and str(request.url) == "http://keystone.test/v3/auth/tokens":
            self.logins += 1
            ends = datetime.fromtimestamp(self.runtime.time + 3600, UTC)
            token = {"expires_at": ends.isoformat(), "catalog": self.catalog}
            return httpx.Response(201, json={"token": token}, headers={"X-Subject-Token": f"own-{self.logins}"})
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def endpoint(kind: str, url: str, region: str) -> dict[str, Any]:
    return {"type": kind, "endpoints": [{"interface": "public", "region": region, "url": url}]}


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_request__first__logs_in_and_finds_the_endpoint() -> None:
    cloud = Cloud(httpx.Response(200), httpx.Response(200))
    session = cloud.session()

    async def scenario() -> None:
        await session.get("image", "/v2/images", params={"limit": 1})
        await session.get("image", "/v2/images", token="callers")
        await session.close()

    run(scenario())
    assert str(cloud.asked[0].url) == "http://image.test/v2/images?limit=1"
    assert [request.headers["X-Auth-Token"] for request in cloud.asked] == ["own-1", "callers"]
    assert cloud.logins == 1


@pytest.mark.parametrize(("region", "host"), [("A", "image.test"), ("B", "image-b.test"), (None, "image.test")])
def test_request__regions__own_one(region: str | None, host: str) -> None:
    cloud = Cloud(httpx.Response(200))
    run(cloud.session(region=region).get("image", "/v2/images"))
    assert cloud.asked[0].url.host == host


def test_request__endpoint_configured__that_one() -> None:
    cloud = Cloud(httpx.Response(200))
    run(cloud.session({"image": "http://mine.test/glance/v2/"}).get("image", "/v2/images"))
    assert str(cloud.asked[0].url) == "http://mine.test/glance/v2/images"


def test_request__not_in_the_catalog__unavailable_says_so() -> None:
    with pytest.raises(Unavailable, match="no public endpoint for it in region A"):
        run(Cloud().session().get("network", "/v2.0/ports"))


def test_request__own_token_refused__logs_in_again_once() -> None:
    cloud = Cloud(httpx.Response(401), httpx.Response(200))
    assert run(cloud.session().get("image", "/v2/images")).status_code == 200
    assert cloud.logins == 2
    cloud = Cloud(httpx.Response(401), httpx.Response(401))
    assert run(cloud.session().get("image", "/v2/images")).status_code == 401


def test_request__callers_token_refused__told_to_the_caller() -> None:
    cloud = Cloud(httpx.Response(401))
    assert run(cloud.session({"image": "http://i"}).get("image", "/v2/images", token="t")).status_code == 401
    assert cloud.logins == 0


def test_request__token_near_its_end__renewed_once_for_all() -> None:
    cloud = Cloud(*[httpx.Response(200) for _ in range(6)])
    session = cloud.session()

    async def scenario() -> None:
        await session.get("image", "/v2/images")
        cloud.runtime.time += 3600 - RENEW_BEFORE_S + 1
        await asyncio.gather(*[session.get("image", "/v2/images") for _ in range(5)])

    run(scenario())
    assert cloud.logins == 2


@pytest.mark.parametrize(
    "failure", [lambda: httpx.Response(503), lambda: httpx.ReadError("cut"), lambda: httpx.ConnectError("no")]
)
def test_request__reading_fails_for_a_while__tried_again(failure: Callable[[], Any]) -> None:
    cloud = Cloud(failure(), failure(), httpx.Response(200))
    assert run(cloud.session().get("image", "/v2/images")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_request__fails_on_and_on__unavailable_after_bounded_tries(method: str) -> None:
    cloud = Cloud(*[httpx.Response(500) for _ in range(10)])
    with pytest.raises(Unavailable, match="it answered 500"):
        run(cloud.session().request(method, "image", "/v2/images"))
    assert len(cloud.asked) == ATTEMPTS


@pytest.mark.parametrize(
    ("failure", "tries"),
    [(httpx.Response(503), 1), (httpx.ReadTimeout("slow"), 1), (httpx.ConnectError("refused"), 3)],
)
def test_request__creating_fails__repeated_only_when_nothing_was_sent(failure: Any, tries: int) -> None:
    cloud = Cloud(*[failure] * 5)
    with pytest.raises(Unavailable):
        run(cloud.session().post("image", "/v2/images", json={}))
    assert len(cloud.asked) == tries


def test_login__refused__unavailable_names_the_account_and_never_the_password() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"error": {"message": "wrong", "code": 401}})

    account = Credentials(auth_url="http://k", username="nova", password="hush")
    session = ServiceSession(account, StillRuntime(), transport=httpx.MockTransport(refuse))
    with pytest.raises(Unavailable, match="service account nova: wrong") as caught:
        run(session.get("image", "/v2/images"))
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(account)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "m", "code": 404}}', "m"),
        (b'{"NeutronError": {"type": "T", "message": "m", "detail": ""}}', "m"),
        (b'{"itemNotFound": {"message": "m"}}', "m"),
        (b'{"message": "m", "code": "404"}', "m"),
        (b"<html>m</html>", "<html>m</html>"),
        (b"[1]", "[1]"),
        (b"", ""),
    ],
)
def test_message_of__every_form__the_sentence(body: bytes, message: str) -> None:
    assert message_of(httpx.Response(404, content=body)) == message


def token_document(expires_at: str = "2027-01-15T08:30:00.000000Z") -> httpx.Response:
    user = {"id": "u", "name": "n", "domain": {"id": "d", "name": "D"}}
    return httpx.Response(200, json={"token": {"user": user, "expires_at": expires_at}})


def test_keystone__same_token_again__believed_for_a_while_and_never_past_its_end() -> None:
    cloud = Cloud(token_document(), token_document("2027-01-15T08:00:50.000000Z"), httpx.Response(404))
    identity = KeystoneIdentity(cloud.session(), cloud.runtime)

    async def scenario() -> None:
        first = await identity.caller("t")
        assert await identity.caller("t") is first
        cloud.runtime.time += 31
        await identity.caller("t")
        assert len(cloud.asked) == 2
        cloud.runtime.time = 1_800_000_050.0
        with pytest.raises(NotAuthenticated):
            await identity.caller("t")

    run(scenario())


@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
def test_keystone__cannot_say__unavailable_and_never_unauthenticated(status: int) -> None:
    cloud = Cloud(*[httpx.Response(status) for _ in range(5)])
    with pytest.raises(Unavailable):
        run(KeystoneIdentity(cloud.session(), cloud.runtime).caller("t"))
    cloud = Cloud(*[httpx.Response(status) for _ in range(5)])
    with pytest.raises(Unavailable):
        run(KeystoneIdentity(cloud.session(), cloud.runtime).project_exists("p"))


def test_glance__refusals__not_found_or_unavailable() -> None:
    for status, error in ((403, NotFound), (404, NotFound), (400, Unavailable), (503, Unavailable)):
        cloud = Cloud(*[httpx.Response(status) for _ in range(5)])
        with pytest.raises(error):
            run(GlanceImages(cloud.session()).image_get(CALLER, IMAGE))


def test_glance__connection_breaks_in_the_middle__unavailable() -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield b"half"
            raise httpx.ReadError("cut")

    cloud = Cloud(httpx.Response(200, stream=Broken()))

    async def scenario() -> None:
        async for piece in GlanceImages(cloud.session()).image_content(IMAGE):
            assert piece == b"half"

    with pytest.raises(Unavailable, match="cut"):
        run(scenario())


@pytest.mark.parametrize("kind", ["block-storage", "volumev3"])
def test_cinder__endpoint_with_a_project__asked_without_it_and_as_a_service(kind: str) -> None:
    cloud = Cloud(httpx.Response(200, json={"attachments": []}))
    cloud.catalog = [endpoint(kind, f"http://volume.test/v3/{'a' * 32}", "A")]
    assert run(CinderVolumes(cloud.session()).attachments_of("server")) == []
    (asked,) = cloud.asked
    assert str(asked.url) == "http://volume.test/v3/attachments/detail?instance_id=server&all_tenants=1"
    assert asked.headers["X-Service-Token"] == asked.headers["X-Auth-Token"] == "own-1"
    assert asked.headers["OpenStack-API-Version"] == "volume 3.44"


def test_cinder__refusals__not_found_conflict_or_unavailable() -> None:
    for status, error in ((400, Conflict), (404, NotFound), (409, Conflict), (403, Unavailable), (503, Unavailable)):
        cloud = Cloud(*[httpx.Response(status, json={"badRequest": {"message": "no"}}) for _ in range(5)])
        volumes = CinderVolumes(cloud.session({"block-storage": "http://volume.test"}))
        with pytest.raises(error):
            run(volumes.attachment_connect(IMAGE, {"host": "host-1"}))


def test_cinder__what_can_be_no_id__not_found_and_not_asked() -> None:
    with pytest.raises(NotFound):
        run(CinderVolumes(Cloud().session()).volume_get(CALLER, "../volumes"))
