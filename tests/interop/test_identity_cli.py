"""The identity service, driven by the real `openstack` client."""

from pathlib import Path

import pytest

from interop.openstack_client import Client, with_client

pytestmark = pytest.mark.interop


def test_tokens__issue_and_revoke(tmp_path: Path) -> None:
    async def scenario(openstack: Client) -> None:
        token = (await openstack.table("token issue"))["id"]
        assert token.count(".") == 2
        await openstack("token revoke", token)
        assert {entry["Type"] for entry in await openstack.table("catalog list")} == {"identity", "image"}

    with_client(tmp_path, scenario)


def test_projects_users_roles__whole_life(tmp_path: Path) -> None:
    async def scenario(openstack: Client) -> None:
        await openstack("project create --description first --tag x lab")
        await openstack("project set --disable lab")
        assert not (await openstack.table("project show lab"))["enabled"]
        await openstack("project set --enable --name laboratory lab")
        await openstack("user create --project laboratory --password pw --email e@example.org eve")
        await openstack("role create auditor")
        await openstack("role add --project laboratory --user eve member")
        await openstack("role add --system all --user eve auditor")
        rows = await openstack.table("role assignment list --user eve --names --effective")
        assert sorted(row["Role"] for row in rows) == ["auditor", "member", "reader"]
        eve = openstack.as_user("eve", "pw", "laboratory")
        await eve("user password set --original-password pw --password new")
        await eve("token issue", fails="requires authentication")
        eve = openstack.as_user("eve", "new", "laboratory")
        await eve("project create other", fails="403")
        await openstack("user set --disable eve")
        await eve("token issue", fails="requires authentication")
        await openstack("role delete auditor")
        await openstack("user delete eve")
        await openstack("project delete laboratory")
        await openstack("project show laboratory", fails="No")

    with_client(tmp_path, scenario)


def test_application_credentials__whole_life(tmp_path: Path) -> None:
    async def scenario(openstack: Client) -> None:
        made = await openstack.table("application credential create --secret s3 --role reader robot")
        environment = {name: value for name, value in openstack.environment.items() if "DOMAIN" not in name}
        for name in ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"):
            del environment[name]
        environment |= {
            "OS_AUTH_TYPE": "v3applicationcredential",
            "OS_APPLICATION_CREDENTIAL_ID": made.get("id") or made["ID"],
            "OS_APPLICATION_CREDENTIAL_SECRET": "s3",
        }
        robot = Client(openstack.executable, environment)
        assert await robot.table("token issue")
        await robot("project create other", fails="403")
        assert len(await openstack.table("application credential list")) == 1
        await openstack("application credential delete robot")
        await robot("token issue", fails="requires authentication")

    with_client(tmp_path, scenario)


def test_catalog_and_domains__read_only(tmp_path: Path) -> None:
    async def scenario(openstack: Client) -> None:
        assert len(await openstack.table("service list")) == 2
        assert len(await openstack.table("endpoint list --service image")) == 3
        assert (await openstack.table("region list"))[0]["Region"] == "RegionOne"
        assert (await openstack.table("domain list"))[0]["ID"] == "default"
        await openstack("domain create other", fails="one domain")
        await openstack("group create people", fails="no groups")
        await openstack("service create volume", fails="configuration")

    with_client(tmp_path, scenario)
