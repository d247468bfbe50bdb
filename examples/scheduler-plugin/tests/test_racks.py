"""The filter and the weigher by themselves: both are plain functions of a request and hosts."""

from racks import in_rack, quiet

from kilonova.objects.aggregate import Aggregate
from kilonova.scheduler.hosts import HostLoad, HostState
from kilonova.scheduler.request import ServerRequest

REQUEST = ServerRequest(resources={"VCPU": 1})


def host(name: str, rack: str, servers: int = 0) -> HostState:
    aggregate = Aggregate(id=1, uuid=rack, name=rack, metadata={"rack": rack}, created_at=0.0)
    return HostState(
        name=name,
        cell_id="cell1",
        uuid=name,
        up=True,
        enabled=True,
        zone="nova",
        aggregates=(aggregate,),
        load=HostLoad(servers=servers),
    )


def test_in_rack__hint__hosts_of_that_rack() -> None:
    rule = in_rack(ServerRequest(resources={}, hints={"rack": ["r1"]}))
    assert rule is not None
    assert [rule(host("a", "r1")), rule(host("b", "r2"))] == [True, False]
    assert in_rack(REQUEST) is None


def test_quiet__rack_with_more_servers__weighs_less() -> None:
    hosts = [host("a", "r1", servers=3), host("b", "r1"), host("c", "r2", servers=1)]
    assert quiet(REQUEST, hosts, {}) == [-3, -3, -1]
