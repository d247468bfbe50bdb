"""Valid requests of every service, to be spoiled: `<name>` stands for the id of what `furnished` made under that name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.hostile import Hostile
from cloud import Asker, TestCloud

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGwsEQyPvXqVDNrQ1BwrkUBDhLbbqGTuSxDHWUfX3NMy a@b"


@dataclass(frozen=True)
class Asking:
    """One valid request with a JSON body."""

    method: str
    path: str
    body: Any
    media_type: str = "application/json"

    @property
    def service(self) -> str:
        return self.path.split("/")[1]


def _action(body: Any) -> Asking:
    return Asking("POST", "/compute/v2.1/servers/<server>/action", body)


LOGIN = {
    "auth": {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": "other", "domain": {"id": "default"}, "password": "other-password"}},
        },
        "scope": {"project": {"name": "other", "domain": {"id": "default"}}},
    }
}
SERVER = {
    "server": {
        "name": "s",
        "flavorRef": "<flavor>",
        "imageRef": "<image>",
        "networks": [{"uuid": "<network>"}],
        "metadata": {"k": "v"},
        "min_count": 1,
        "max_count": 1,
        "key_name": "key",
        "security_groups": [{"name": "default"}],
        "description": "d",
        "tags": ["t"],
        "hostname": "h",
        "user_data": "IyEvYmluL3No",
        "config_drive": True,
        "OS-DCF:diskConfig": "AUTO",
        "accessIPv4": "192.0.2.1",
    },
    "os:scheduler_hints": {"group": "<group>"},
}
RULE = {
    "security_group_id": "<security_group>",
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "port_range_min": 22,
    "port_range_max": 22,
    "remote_ip_prefix": "10.0.0.0/8",
}
PORT = {
    "network_id": "<network>",
    "name": "p",
    "fixed_ips": [{"subnet_id": "<subnet>"}],
    "security_groups": ["<security_group>"],
    "allowed_address_pairs": [{"ip_address": "10.0.0.9"}],
    "device_owner": "compute:nova",
}
SUBNET = {
    "network_id": "<network>",
    "name": "s",
    "ip_version": 4,
    "cidr": "10.9.0.0/24",
    "gateway_ip": "10.9.0.1",
    "allocation_pools": [{"start": "10.9.0.10", "end": "10.9.0.20"}],
    "dns_nameservers": ["10.9.0.2"],
    "host_routes": [{"destination": "10.8.0.0/16", "nexthop": "10.9.0.3"}],
    "enable_dhcp": True,
}
INVENTORY = {"total": 8, "reserved": 0, "min_unit": 1, "max_unit": 8, "step_size": 1, "allocation_ratio": 1.0}
ALLOCATION = {
    "allocations": {"<provider>": {"resources": {"VCPU": 1}}},
    "project_id": "p",
    "user_id": "u",
    "consumer_generation": None,
    "consumer_type": "INSTANCE",
}

CORPUS = (
    Asking("POST", "/identity/v3/auth/tokens", LOGIN),
    Asking(
        "POST", "/identity/v3/projects", {"project": {"name": "n", "description": "d", "enabled": True, "tags": []}}
    ),
    Asking("PATCH", "/identity/v3/projects/<project>", {"project": {"description": "d", "enabled": True}}),
    Asking("POST", "/identity/v3/users", {"user": {"name": "n", "password": "p", "email": "a@b", "enabled": True}}),
    Asking("PATCH", "/identity/v3/users/<user>", {"user": {"description": "d", "default_project_id": "<project>"}}),
    Asking(
        "POST",
        "/identity/v3/users/<self>/application_credentials",
        {
            "application_credential": {
                "name": "n",
                "description": "d",
                "expires_at": "2099-01-01T00:00:00",
                "roles": [{"name": "admin"}],
                "unrestricted": False,
            }
        },
    ),
    Asking("POST", "/identity/v3/roles", {"role": {"name": "n", "description": "d", "options": {}}}),
    Asking(
        "POST",
        "/image/v2/images",
        {
            "name": "n",
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "private",
            "min_ram": 0,
            "min_disk": 0,
            "protected": False,
            "tags": ["t"],
            "os_distro": "debian",
        },
    ),
    Asking(
        "PATCH",
        "/image/v2/images/<image>",
        [{"op": "add", "path": "/os_distro", "value": "debian"}, {"op": "replace", "path": "/name", "value": "n"}],
        "application/openstack-images-v2.1-json-patch",
    ),
    Asking("POST", "/image/v2/images/<shared_image>/members", {"member": "<project>"}),
    Asking(
        "POST",
        "/network/v2.0/networks",
        {"network": {"name": "n", "mtu": 1500, "shared": False, "port_security_enabled": True}},
    ),
    Asking("POST", "/network/v2.0/networks", {"networks": [{"name": "a"}, {"name": "b", "admin_state_up": True}]}),
    Asking("PUT", "/network/v2.0/networks/<network>", {"network": {"name": "n", "description": "d"}}),
    Asking("POST", "/network/v2.0/subnets", {"subnet": SUBNET}),
    Asking("PUT", "/network/v2.0/subnets/<subnet>", {"subnet": {"name": "n", "dns_nameservers": ["10.0.0.2"]}}),
    Asking("POST", "/network/v2.0/ports", {"port": PORT}),
    Asking(
        "PUT",
        "/network/v2.0/ports/<port>",
        {"port": {"name": "n", "binding:profile": {"a": 1}}},
    ),
    Asking("POST", "/network/v2.0/security-groups", {"security_group": {"name": "n", "description": "d"}}),
    Asking("POST", "/network/v2.0/security-group-rules", {"security_group_rule": RULE}),
    Asking("PUT", "/network/v2.0/quotas/<project>", {"quota": {"network": 10, "port": 50}}),
    Asking("PUT", "/network/v2.0/networks/<network>/tags", {"tags": ["a", "b"]}),
    Asking("POST", "/placement/resource_providers", {"name": "n", "uuid": "aaaaaaaa-0000-4000-8000-000000000002"}),
    Asking(
        "PUT",
        "/placement/resource_providers/<provider>/inventories",
        {"resource_provider_generation": 1, "inventories": {"VCPU": INVENTORY}},
    ),
    Asking(
        "PUT",
        "/placement/resource_providers/<provider>/traits",
        {"resource_provider_generation": 2, "traits": ["HW_CPU_X86_AVX"]},
    ),
    Asking(
        "PUT",
        "/placement/resource_providers/<provider>/aggregates",
        {"resource_provider_generation": 3, "aggregates": ["dddddddd-0000-4000-8000-000000000001"]},
    ),
    Asking("PUT", "/placement/allocations/cccccccc-0000-4000-8000-000000000001", ALLOCATION),
    Asking("POST", "/placement/allocations", {"cccccccc-0000-4000-8000-000000000002": ALLOCATION}),
    Asking("POST", "/compute/v2.1/servers", SERVER),
    Asking("PUT", "/compute/v2.1/servers/<server>", {"server": {"name": "n", "description": "d", "hostname": "h"}}),
    Asking("PUT", "/compute/v2.1/servers/<server>/metadata", {"metadata": {"k": "v"}}),
    Asking("PUT", "/compute/v2.1/servers/<server>/metadata/k", {"meta": {"k": "v"}}),
    Asking("PUT", "/compute/v2.1/servers/<server>/tags", {"tags": ["a"]}),
    _action({"reboot": {"type": "SOFT"}}),
    _action({"lock": {"locked_reason": "r"}}),
    _action({"unlock": None}),
    _action({"os-getConsoleOutput": {"length": 10}}),
    Asking(
        "POST",
        "/compute/v2.1/flavors",
        {"flavor": {"name": "n", "ram": 1, "vcpus": 1, "disk": 1, "id": "auto", "swap": 0, "rxtx_factor": 1.0}},
    ),
    Asking("PUT", "/compute/v2.1/flavors/<flavor>", {"flavor": {"description": "d"}}),
    Asking("POST", "/compute/v2.1/flavors/<flavor>/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}}),
    Asking("POST", "/compute/v2.1/flavors/<private_flavor>/action", {"addTenantAccess": {"tenant": "<project>"}}),
    Asking("POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": "n", "public_key": PUBLIC_KEY, "type": "ssh"}}),
    Asking(
        "POST",
        "/compute/v2.1/os-server-groups",
        {"server_group": {"name": "n", "policy": "anti-affinity", "rules": {"max_server_per_host": 1}}},
    ),
    Asking("POST", "/compute/v2.1/os-aggregates", {"aggregate": {"name": "n", "availability_zone": "z"}}),
    Asking("POST", "/compute/v2.1/os-aggregates/<aggregate>/action", {"set_metadata": {"metadata": {"k": "v"}}}),
    Asking("PUT", "/compute/v2.1/os-quota-sets/<project>", {"quota_set": {"instances": 10, "force": True}}),
    Asking("PUT", "/compute/v2.1/os-quota-class-sets/default", {"quota_class_set": {"instances": 1000}}),
    Asking("PUT", "/compute/v2.1/os-services/<service>", {"status": "disabled", "disabled_reason": "r"}),
)


@contextmanager
def furnished(path: Path) -> Iterator[Hostile]:
    """A cloud with one of everything in it, and no quotas in the way."""
    plenty = dict.fromkeys(("instances", "cores", "ram", "server_groups", "key_pairs"), -1)
    with TestCloud(path, hosts=2, tables={"quota": plenty}) as cloud:
        hostile = Hostile(cloud)
        _furnish(hostile)
        yield hostile


def _furnish(hostile: Hostile) -> None:
    """Make one of everything, owned by `member`; what only administrators have is theirs."""
    cloud, ids = hostile.cloud, hostile.ids
    admin, member = cloud.admin, cloud.member

    def make(who: Asker, path: str, key: str, body: dict[str, Any], status: int = 201, **options: Any) -> str:
        made = who.post(path, {key: body}, status=status, **options)[key]
        return str(made.get("id"))

    assert member.project_id is not None
    ids["project"] = member.project_id
    ids["user"] = admin.get("/identity/v3/users", params={"name": "kilonova"})["users"][0]["id"]
    ids["self"] = admin.get("/identity/v3/users", params={"name": "admin"})["users"][0]["id"]
    ids["credential"] = make(
        member,
        f"/identity/v3/users/{ids['user']}/application_credentials",
        "application_credential",
        {"name": "mine"},
    )
    for name, visibility in (("image", "private"), ("shared_image", "shared")):
        image = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": visibility}
        ids[name] = member.post("/image/v2/images", image, status=201)["id"]
        content = {"content": b"content" * 100, "headers": {"Content-Type": "application/octet-stream"}}
        member.put(f"/image/v2/images/{ids[name]}/file", status=204, **content)
    net = "/network/v2.0"
    ids["network"] = make(member, f"{net}/networks", "network", {"name": "n"})
    subnet = {"network_id": ids["network"], "ip_version": 4, "cidr": "10.0.0.0/16"}
    ids["subnet"] = make(member, f"{net}/subnets", "subnet", subnet)
    ids["security_group"] = make(member, f"{net}/security-groups", "security_group", {"name": "g"})
    rule = {"security_group_id": ids["security_group"], "direction": "ingress"}
    ids["rule"] = make(member, f"{net}/security-group-rules", "security_group_rule", rule)
    ids["port"] = make(member, f"{net}/ports", "port", {"network_id": ids["network"]})
    nova = "/compute/v2.1"
    small = {"ram": 1, "vcpus": 1, "disk": 1}
    ids["flavor"] = make(admin, f"{nova}/flavors", "flavor", {"name": "f", **small}, 200)
    private = {"name": "g", "os-flavor-access:is_public": False, **small}
    ids["private_flavor"] = make(admin, f"{nova}/flavors", "flavor", private, 200)
    for who in (admin, member):
        who.post(f"{nova}/os-keypairs", {"keypair": {"name": "key", "public_key": PUBLIC_KEY}}, status=200)
    group = {"name": "g", "policies": ["soft-affinity"]}
    ids["group"] = make(member, f"{nova}/os-server-groups", "server_group", group, 200, version="2.15")
    ids["aggregate"] = make(admin, f"{nova}/os-aggregates", "aggregate", {"name": "a"}, 200)
    ids["service"] = admin.get(f"{nova}/os-services", version="2.53")["services"][0]["id"]
    provider = {"name": "mine", "uuid": "aaaaaaaa-0000-4000-8000-000000000001"}
    ids["provider"] = admin.post("/placement/resource_providers", provider, version="1.39")["uuid"]
    inventories = {"resource_provider_generation": 0, "inventories": {"VCPU": INVENTORY}}
    admin.put(f"/placement/resource_providers/{ids['provider']}/inventories", inventories, version="1.39")
    server = {
        "name": "s",
        "flavorRef": ids["flavor"],
        "imageRef": ids["image"],
        "networks": [{"uuid": ids["network"]}],
        "metadata": {"k": "v"},
        "key_name": "key",
    }
    ids["server"] = make(member, f"{nova}/servers", "server", server, 202, version="2.37")
    cloud.wait_for_status(ids["server"], "ACTIVE")
    hostile.settle()
