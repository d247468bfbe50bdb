"""Version documents and negotiation."""

from pathlib import Path
from typing import Any

import pytest

from api.compute_rig import ADMIN, OTHER_PROJECT, PROJECT, Rig


def test_root__no_token__lists_both_versions(rig: Rig) -> None:
    versions = rig.ok("GET", "/", base="/compute", token=None)["versions"]
    assert [(version["id"], version["status"]) for version in versions] == [("v2.0", "SUPPORTED"), ("v2.1", "CURRENT")]
    assert (versions[1]["min_version"], versions[1]["version"]) == ("2.1", "2.104")
    assert versions[1]["links"] == [{"rel": "self", "href": "http://cloud.test:8774/compute/v2.1/"}]


def test_root__path_without_version__300_with_choices(rig: Rig) -> None:
    choices = rig.ok("GET", "/servers", base="/compute", token=None, status=300)["choices"]
    assert [choice["links"][0]["href"] for choice in choices] == [
        "http://cloud.test:8774/compute/v2/servers",
        "http://cloud.test:8774/compute/v2.1/servers",
    ]


@pytest.mark.parametrize("path", ["/v2.1", "/v2.1/", "/v2", "/v2/"])
def test_version_document__no_token__shown(rig: Rig, path: str) -> None:
    document = rig.ok("GET", path, base="/compute", token=None)["version"]
    assert document["links"][0]["href"] == f"http://cloud.test:8774/compute/{path.strip('/')}/"
    assert document["media-types"][0]["base"] == "application/json"


def test_negotiation__no_header__oldest(rig: Rig) -> None:
    answer = rig.ask("GET", "/flavors")
    assert answer.headers["OpenStack-API-Version"] == "compute 2.1"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == "2.1"
    assert answer.headers.get_list("Vary") == ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]
    assert answer.headers["X-Openstack-Request-Id"] == answer.headers["X-Compute-Request-Id"]


def test_negotiation__latest__newest(rig: Rig) -> None:
    assert rig.ask("GET", "/flavors", version="latest").headers["OpenStack-API-Version"] == "compute 2.104"


def test_negotiation__legacy_header__taken(rig: Rig) -> None:
    answer = rig.ask("GET", "/flavors", headers={"X-OpenStack-Nova-API-Version": "2.55"})
    assert answer.headers["OpenStack-API-Version"] == "compute 2.55"


@pytest.mark.parametrize(
    ("version", "status"), [("2.105", 406), ("1.1", 406), ("3.0", 406), ("2", 400), ("banana", 400), ("2.01", 400)]
)
def test_negotiation__impossible_version__refused(rig: Rig, version: str, status: int) -> None:
    answer = rig.ask("GET", "/flavors", version=version)
    assert answer.status_code == status
    assert answer.headers["X-Openstack-Request-Id"] == answer.headers["X-Compute-Request-Id"]
    assert next(iter(answer.json().values()))["code"] == status


def test_legacy__microversion_header__ignored_and_not_answered(rig: Rig) -> None:
    answer = rig.ask("GET", "/flavors", base="/compute/v2", version="2.104")
    assert answer.status_code == 200
    assert "OpenStack-API-Version" not in answer.headers


def test_legacy__unknown_fields_and_padded_names__forgiven(rig: Rig) -> None:
    body = {"flavor": {"name": " small ", "ram": 1, "vcpus": 1, "disk": 0, "surprise": 1}}
    assert rig.ok("POST", "/flavors", body, base="/compute/v2")["flavor"]["name"] == "small"
    assert rig.ask("POST", "/flavors", body).status_code == 400


def test_project_in_path__own__same_answer_and_in_links(rig: Rig) -> None:
    rig.ok("POST", "/flavors", {"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 0, "id": "f"}})
    (flavor,) = rig.ok("GET", f"/{PROJECT}/flavors")["flavors"]
    assert [link["href"] for link in flavor["links"]] == [
        f"http://cloud.test:8774/compute/v2.1/{PROJECT}/flavors/f",
        f"http://cloud.test:8774/compute/{PROJECT}/flavors/f",
    ]


def test_project_in_path__of_another__400(rig: Rig) -> None:
    assert rig.ask("GET", f"/{OTHER_PROJECT}/flavors").status_code == 400


def test_project_in_path__malformed__404(rig: Rig) -> None:
    assert rig.ask("GET", "/My_Project/flavors").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("PATCH", "/flavors"), ("DELETE", "/flavors"), ("GET", "/flavors/1/2/3")]
)
def test_unknown_path_or_method__404(rig: Rig, method: str, path: str) -> None:
    answer = rig.ask(method, path)
    assert (answer.status_code, answer.json()["itemNotFound"]["code"]) == (404, 404)


def test_route_of_a_newer_version__404(rig: Rig) -> None:
    answer = rig.ask("PUT", "/flavors/1", {"flavor": {"description": "d"}}, version="2.54")
    assert (answer.status_code, answer.json()["itemNotFound"]["code"]) == (404, 404)


def test_route_of_an_older_version__404(rig: Rig) -> None:
    answer = rig.ask("GET", "/os-networks", version="2.36")
    assert (answer.status_code, answer.json()["itemNotFound"]["code"]) == (404, 404)


@pytest.mark.parametrize("version", ["2.1", "2.104"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/os-cells"), ("POST", "/os-networks"), ("GET", "/os-fping"), ("PUT", "/os-agents/1")]
)
def test_removed_route__410(rig: Rig, method: str, path: str, version: str) -> None:
    assert rig.ask(method, path, version=version).status_code == 410


def test_token__missing_or_wrong__401_as_everywhere(rig: Rig) -> None:
    for token in (None, "forged"):
        answer = rig.ask("GET", "/flavors", token=token)
        assert answer.status_code == 401
        assert answer.json()["error"]["title"] == "Unauthorized"


@pytest.mark.parametrize("body", [{"explode": {}}, {}, [], {"add_host": {}, "remove_host": {}}])
@pytest.mark.parametrize("path", ["/os-aggregates/1/action", "/servers/1/action", "/os-volumes_boot/1/action"])
def test_action__unknown_or_none_or_two__400(rig: Rig, path: str, body: Any) -> None:
    answer = rig.ask("POST", path, body)
    assert answer.status_code == 400
    assert "There is no such action" in answer.json()["badRequest"]["message"]


def test_urls__configured__told(tmp_path: Path) -> None:
    with Rig(tmp_path, link_prefix="https://api.example.org/nova/", identity_url="https://id.example.org") as rig:
        assert rig.ok("GET", "/v2.1", base="/compute", token=ADMIN)["version"]["links"][0]["href"] == (
            "https://api.example.org/nova/compute/v2.1/"
        )
        assert (
            rig.ask("GET", "/flavors", token=None).headers["WWW-Authenticate"]
            == 'Keystone uri="https://id.example.org"'
        )


def test_legacy__body_of_an_old_shape__read_like_at_2_1(rig: Rig) -> None:
    body = {"server_group": {"name": "g", "policies": ["affinity"], "policy": "anti-affinity", "rules": {}}}
    created = rig.ok("POST", "/os-server-groups", body, base="/compute/v2")["server_group"]
    assert created["policies"] == ["affinity"]


def test_openapi__without_token__document_with_entity_tag(rig: Rig) -> None:
    answer = rig.ask("GET", "/openapi/2.90.json", token=None, base="/compute")
    assert (answer.status_code, answer.json()["info"]["version"]) == (200, "2.90")
    tag = answer.headers["ETag"]
    again = rig.ask("GET", "/openapi/2.90.json", token=None, base="/compute", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["2.105.json", "2.0.html", "latest.json"])
def test_openapi__unknown_microversion__404_names_the_range(rig: Rig, name: str) -> None:
    answer = rig.ask("GET", f"/openapi/{name}", token=None, base="/compute")
    assert answer.status_code == 404
    assert "the API has 2.1 to 2.104" in answer.json()["itemNotFound"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/openapi/x"), ("POST", "/openapi/2.1.json")])
def test_openapi__other_paths_and_methods__404(rig: Rig, method: str, path: str) -> None:
    assert rig.ask(method, path, token=None, base="/compute").status_code == 404


def test_openapi_page__chosen_by_query__shown_as_html(rig: Rig) -> None:
    led = rig.ask("GET", "/openapi/?version=2.60", token=None, base="/compute")
    assert led.headers["Location"] == "/compute/openapi/2.60.html"
    answer = rig.ask("GET", "/openapi/2.60.html", token=None, base="/compute")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "microversion 2.60" in answer.text
