"""The root document."""

from cloud import URL, TestCloud


def test_root__any_caller__lists_the_services(cloud: TestCloud) -> None:
    document = cloud.nobody.get("/")
    assert document["name"] == "kilonova"
    assert [service["type"] for service in document["services"]] == [
        "identity",
        "image",
        "network",
        "placement",
        "compute",
    ]
    assert document["services"][0]["url"] == f"{URL}/identity/v3"


def test_root__unknown_path__404_that_says_where_to_look(cloud: TestCloud) -> None:
    assert "GET /" in cloud.nobody.get("/nowhere", status=404)["error"]["message"]


def test_root__wrong_method__405(cloud: TestCloud) -> None:
    cloud.nobody.post("/", {}, status=405)


def test_restart__same_state__tokens_stay_valid(cloud: TestCloud) -> None:
    cloud.restart()
    assert cloud.member.get("/identity/v3/auth/projects")["projects"]
