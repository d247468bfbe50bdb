"""Images, their lists, patches, tags and members: who sees what, and what comes back."""

import asyncio
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.services import Services, run, services
from kilonova.database.database import Transaction
from kilonova.kernel.errors import KilonovaError
from kilonova.standalone.image.attributes import Settable, parsed
from kilonova.standalone.image.patch import patched
from kilonova.standalone.image.store import IMAGES_MAX, create_txn

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


async def ask(s: Services, who: str, method: str, path: str, status: int = 200, **body: Any) -> Any:
    response = await s.ask(method, f"/image/v2{path}", await s.token(who), **body)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


async def create(s: Services, who: str = "kilonova", status: int = 201, **attributes: Any) -> Any:
    return await ask(
        s, who, "POST", "/images", status, json={"disk_format": "raw", "container_format": "bare", **attributes}
    )


async def names(s: Services, query: str = "", who: str = "kilonova") -> list[str]:
    return [image["name"] for image in (await ask(s, who, "GET", f"/images{query}"))["images"]]


async def patch(s: Services, image_id: str, *operations: Any, who: str = "kilonova", status: int = 200) -> Any:
    return await ask(s, who, "PATCH", f"/images/{image_id}", status, json=list(operations), headers=PATCH)


async def project(s: Services, who: str) -> str:
    return str((await s.identity.caller(await s.token(who))).project_id)


def test_tasks__of_an_image_that_is_seen__none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image = await create(s)
            assert await ask(s, "kilonova", "GET", f"/images/{image['id']}/tasks") == {"tasks": []}
            await ask(s, "kilonova", "GET", f"/images/{uuid.uuid4()}/tasks", 404)

    run(scenario())


def test_create__all_attributes__shown_as_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = str(uuid.uuid4())
            given_ = {
                "id": image_id,
                "name": "n",
                "min_ram": 1,
                "min_disk": 2,
                "tags": ["b", "a", "a"],
                "os_hidden": True,
            }
            made = await create(s, **given_, kernel_id="k", protected=True, visibility="community")
            assert made == await ask(s, "kilonova", "GET", f"/images/{image_id}")
            assert (made["tags"], made["kernel_id"], made["status"]) == (["a", "b"], "k", "queued")
            assert made["owner"] == await project(s, "kilonova")
            assert (made["self"], made["file"]) == (f"/v2/images/{image_id}", f"/v2/images/{image_id}/file")
            await create(s, id=image_id, status=409)
            await ask(s, "kilonova", "DELETE", f"/images/{image_id}", 403)

    run(scenario())


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"disk_format": "vmdk"}, 400),
        ({"container_format": "ova"}, 400),
        ({"id": "../x"}, 400),
        ({"id": 5}, 400),
        ({"name": 5}, 400),
        ({"name": "n" * 256}, 400),
        ({"name": "a\x00"}, 400),
        ({"min_ram": -1}, 400),
        ({"min_ram": 2**31}, 400),
        ({"min_ram": "1"}, 400),
        ({"tags": "a"}, 400),
        ({"tags": [""]}, 400),
        ({"visibility": "secret"}, 400),
        ({"protected": "yes"}, 400),
        ({"weight": 4}, 400),
        ({"weight": None}, 400),
        ({"weight": {"a": "b"}}, 400),
        ({"p" * 256: "x"}, 400),
        ({"": "x"}, 400),
        ({"weight": "x" * 70_000}, 400),
        ({str(n): "x" for n in range(200)}, 400),
        ({"tags": [str(n) for n in range(200)]}, 403),
        ({"status": "active"}, 403),
        ({"size": 4}, 403),
        ({"locations": []}, 403),
        ({"owner": "x"}, 403),
        ({"visibility": "public"}, 403),
    ],
)
def test_create__not_allowed__refused(tmp_path: Path, attributes: dict[str, Any], status: int) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            await ask(s, "kilonova", "POST", "/images", status, json=attributes)
            assert await names(s) == []

    run(scenario())


def test_create__more_than_a_project_may_have__over_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            owner = await project(s, "kilonova")

            def fill_txn(tx: Transaction) -> None:
                columns = {"owner": owner, "properties": {}, **msgspec.structs.asdict(Settable(owner=owner))}
                del columns["tags"]
                for _ in range(IMAGES_MAX):
                    create_txn(tx, {**columns, "id": str(uuid.uuid4())}, [])

            await s.images._context.database.write(fill_txn)
            refused = await create(s, status=403)
            assert "Quota exceeded for images" in refused["error"]["message"]

    run(scenario())


def test_visibility__who_sees_what(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            made = {}
            for visibility in ("public", "private", "shared", "community"):
                made[visibility] = (await create(s, "admin", name=visibility, visibility=visibility))["id"]
            await create(s, name="own", visibility="private")
            assert sorted(await names(s)) == ["own", "public"]
            assert await names(s, "?visibility=community") == ["community"]
            assert sorted(await names(s, "?visibility=all")) == ["community", "own", "public"]
            assert await names(s, "?visibility=private") == ["own"]
            assert len(await names(s, who="admin")) == 5
            for visibility, status in (("public", 200), ("community", 200), ("private", 404), ("shared", 404)):
                await ask(s, "kilonova", "GET", f"/images/{made[visibility]}", status)
                refusal = 403 if status == 200 else 404
                await ask(s, "kilonova", "DELETE", f"/images/{made[visibility]}", refusal)
                await patch(s, made[visibility], {"op": "replace", "path": "/name", "value": "x"}, status=refusal)
                await ask(s, "kilonova", "PUT", f"/images/{made[visibility]}/tags/t", refusal)
                await ask(s, "kilonova", "POST", f"/images/{made[visibility]}/members", refusal, json={"member": "x"})

    run(scenario())


def test_members__shared_accepted_taken_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            me = await project(s, "kilonova")
            image_id = (await create(s, "admin", name="gift"))["id"]
            path = f"/images/{image_id}/members"
            assert (await ask(s, "admin", "POST", path, json={"member": me}))["status"] == "pending"
            await ask(s, "admin", "POST", path, 409, json={"member": me})
            await ask(s, "admin", "POST", path, json={"member": "third"})
            await ask(s, "kilonova", "GET", f"/images/{image_id}")
            assert await names(s) == []
            assert await names(s, "?visibility=shared&member_status=pending") == ["gift"]
            assert [each["member_id"] for each in (await ask(s, "kilonova", "GET", path))["members"]] == [me]
            await ask(s, "kilonova", "GET", f"{path}/third", 404)
            await ask(s, "kilonova", "PUT", f"{path}/third", 403, json={"status": "accepted"})
            await ask(s, "kilonova", "PUT", f"{path}/{me}", 400, json={"status": "maybe"})
            assert (await ask(s, "kilonova", "PUT", f"{path}/{me}", json={"status": "accepted"}))[
                "status"
            ] == "accepted"
            assert await names(s) == ["gift"]
            await ask(s, "kilonova", "DELETE", f"{path}/{me}", 403)
            await ask(s, "admin", "DELETE", f"{path}/{me}", 204)
            await ask(s, "admin", "DELETE", f"{path}/{me}", 404)
            await ask(s, "kilonova", "GET", f"/images/{image_id}", 404)

    run(scenario())


def test_members__not_a_shared_image__refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = (await create(s, visibility="private"))["id"]
            await ask(s, "kilonova", "POST", f"/images/{image_id}/members", 403, json={"member": "x"})

    run(scenario())


def test_update__patch__attributes_properties_and_tags(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = (await create(s, old="1"))["id"]
            changed = await patch(
                s,
                image_id,
                {"op": "replace", "path": "/name", "value": "new"},
                {"op": "add", "path": "/a~1b", "value": "x"},
                {"op": "remove", "path": "/old"},
                {"op": "replace", "path": "/tags", "value": ["t"]},
                {"op": "replace", "path": "/disk_format", "value": "qcow2"},
            )
            assert (changed["name"], changed["a/b"], changed["tags"], changed["disk_format"]) == (
                "new",
                "x",
                ["t"],
                "qcow2",
            )
            assert "old" not in changed
            assert changed == await ask(s, "kilonova", "GET", f"/images/{image_id}")

    run(scenario())


def test_update__many_at_once__none_is_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = (await create(s))["id"]
            patches = [patch(s, image_id, {"op": "add", "path": f"/p{n}", "value": "x"}) for n in range(20)]
            await asyncio.gather(*patches)
            shown = await ask(s, "kilonova", "GET", f"/images/{image_id}")
            assert {f"p{n}" for n in range(20)} <= set(shown)

    run(scenario())


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "add", "path": "/locations", "value": []}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "replace", "path": "/owner", "value": "x"}, 403),
        ({"op": "replace", "path": "/nothing", "value": "x"}, 409),
        ({"op": "remove", "path": "/nothing"}, 409),
        ({"op": "move", "path": "/name", "from": "/x"}, 400),
        ({"op": "replace", "path": "name", "value": "x"}, 400),
        ({"op": "replace", "path": "/", "value": "x"}, 400),
        ({"op": "replace", "path": "/tags/0", "value": "x"}, 400),
        ({"op": "replace", "path": "/min_ram", "value": "x"}, 400),
        ({"op": "add", "path": "/p", "value": 5}, 400),
        ({"op": "add"}, 400),
        ("x", 400),
    ],
)
def test_update__not_allowed__refused_and_unchanged(tmp_path: Path, operation: Any, status: int) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            made = await create(s, name="n")
            await patch(s, made["id"], operation, status=status)
            assert await ask(s, "kilonova", "GET", f"/images/{made['id']}") == made

    run(scenario())


def test_update__content_there__formats_are_fixed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = (await create(s))["id"]
            headers = {"Content-Type": "application/octet-stream"}
            await ask(s, "kilonova", "PUT", f"/images/{image_id}/file", 204, content=b"x", headers=headers)
            await patch(s, image_id, {"op": "replace", "path": "/disk_format", "value": "qcow2"}, status=403)

    run(scenario())


def test_update__other_media_type__unsupported(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = (await create(s))["id"]
            await ask(s, "kilonova", "PATCH", f"/images/{image_id}", 415, json=[])

    run(scenario())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=b", ["b"]),
        ("name=in:a,c", ["c", "a"]),
        ('name=in:"d, e",a', ["d, e", "a"]),
        ("disk_format=qcow2", ["b"]),
        ("disk_format=in:qcow2,aki", ["c", "b"]),
        ("container_format=aki", ["c"]),
        ("status=active", []),
        ("status=in:active,queued&name=a", ["a"]),
        ("tag=x", ["b", "a"]),
        ("tag=x&tag=y", ["b"]),
        ("min_ram=64", ["b"]),
        ("protected=true", ["c"]),
        ("os_hidden=true", ["hidden"]),
        ("colour=red", ["a"]),
        ("colour=blue", []),
        ("size_min=1", []),
        ("created_at=gt:2001-01-01T00:00:00Z&name=a", ["a"]),
        ("created_at=lt:2001-01-01T00:00:00Z", []),
        ("updated_at=neq:2001-01-01T00:00:00Z&name=a", ["a"]),
        ("sort=name:asc", ["a", "b", "c", "d, e"]),
        ("sort_key=name&sort_dir=desc", ["d, e", "c", "b", "a"]),
        ("sort=disk_format:asc,name:desc", ["c", "b", "d, e", "a"]),
        ("sort_key=disk_format&sort_key=name&sort_dir=asc", ["c", "b", "a", "d, e"]),
        ("visibility=public", []),
    ],
)
def test_list__filter_and_order__those_images(tmp_path: Path, query: str, found: list[str]) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            await create(s, name="a", tags=["x"], colour="red")
            await create(s, name="b", tags=["x", "y"], disk_format="qcow2", min_ram=64)
            await create(s, name="c", disk_format="aki", container_format="aki", protected=True)
            await create(s, name="d, e")
            await create(s, name="hidden", os_hidden=True)
            assert await names(s, f"?{query}") == found

    run(scenario())


@pytest.mark.parametrize(
    "sort", ["name:asc", "name:desc", "size:asc", "created_at:desc", "min_ram", "status:asc,name:asc"]
)
def test_list__pages__every_image_once(tmp_path: Path, sort: str) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            for n in range(11):
                await create(s, name=None if n % 4 == 0 else f"i{n % 3}")
            if sort == "min_ram":
                await ask(s, "kilonova", "GET", f"/images?sort={sort}", 400)
                return
            seen: list[str] = []
            path: str | None = f"/images?limit=3&sort={sort}&visibility=shared"
            while path:
                page = await ask(s, "kilonova", "GET", path)
                seen += [image["id"] for image in page["images"]]
                path = page.get("next", "")[3:]
            whole = await ask(s, "kilonova", "GET", f"/images?sort={sort}")
            assert seen == [image["id"] for image in whole["images"]]
            assert len(set(seen)) == 11

    run(scenario())


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "limit=99999999999999999999",
        "marker=nope",
        f"marker={uuid.UUID(int=0)}",
        "sort=nope",
        "sort=name:up",
        "sort=name&sort_key=name",
        "sort_dir=asc&sort_dir=asc&sort_dir=asc",
        "visibility=nope",
        "member_status=nope",
        "created_at=soon",
        "created_at=gt:",
        "updated_at=lt:0000-99-99",
        "size_min=big",
        "min_ram=1.5",
        "protected=perhaps",
        "os_hidden=2",
        "name=in:" + ",".join("x" * 600),
    ],
)
def test_list__bad_query__refused(tmp_path: Path, query: str) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            response = await s.ask("GET", f"/image/v2/images?{query}", await s.token("kilonova"))
            assert response.status_code in {400, 404}, response.text

    run(scenario())


def test_tags__put_and_delete(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            path = f"/images/{(await create(s))['id']}"
            for tag in ("a", "a", quote("ü b"), "x" * 255):
                await ask(s, "kilonova", "PUT", f"{path}/tags/{tag}", 204)
            assert (await ask(s, "kilonova", "GET", path))["tags"] == ["a", "x" * 255, "ü b"]
            await ask(s, "kilonova", "PUT", f"{path}/tags/{'x' * 256}", 400)
            await ask(s, "kilonova", "DELETE", f"{path}/tags/a", 204)
            await ask(s, "kilonova", "DELETE", f"{path}/tags/a", 404)

    run(scenario())


def test_documents__versions_schemas_import(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            versions = (await s.ask("GET", "/image/")).json()["versions"]
            assert (versions[0]["status"], versions[0]["links"][0]["href"]) == (
                "CURRENT",
                "http://cloud.test/image/v2/",
            )
            assert (await s.ask("GET", "/image/versions")).status_code == 200
            shown = await create(s, name="n")
            schema = await ask(s, "kilonova", "GET", "/schemas/image")
            assert set(shown) == set(schema["properties"])
            for name in ("images", "member", "members"):
                assert (await ask(s, "kilonova", "GET", f"/schemas/{name}"))["name"] == name
            assert (await ask(s, "kilonova", "GET", "/info/import"))["import-methods"]["value"] == []
            await ask(s, "kilonova", "PUT", f"/images/{shown['id']}/stage", 404, content=b"x")

    run(scenario())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*Settable.__struct_fields__, "status", "p", ""])


@given(st.dictionaries(NAMES, JSON, max_size=4) | JSON)
def test_parsed__anything__accepted_or_a_clear_refusal(document: Any) -> None:
    try:
        settable, properties = parsed(document)
    except KilonovaError:
        return
    assert isinstance(settable, Settable)
    assert all(isinstance(value, str) for value in properties.values())


@settings(max_examples=200)
@given(
    st.lists(st.fixed_dictionaries({"op": st.text(max_size=7), "path": st.text(max_size=5)}) | JSON, max_size=3) | JSON
)
def test_patched__anything__accepted_or_a_clear_refusal(operations: Any) -> None:
    try:
        document = patched({"name": "n"}, operations)
    except KilonovaError:
        return
    assert "name" in document
