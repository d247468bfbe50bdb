"""The file of the fake hypervisor: what older versions and other processes wrote in it is taken over."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec

from kilonova.drivers.fake.driver import FakeDriver
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import Guest, PowerState
from kilonova.runtime.real import RealRuntime
from kilonova.testing.guests import SERVER, Images, guest_spec, hello_disk

HOST = HostName("fake-00001")


def test_file_of_0_1_0__its_guests_are_there_and_obey(tmp_path: Path) -> None:
    spec = guest_spec(Images().add("image", hello_disk()), config_drive={})
    with sqlite3.connect(tmp_path / "file") as file:
        file.execute("""CREATE TABLE guest (host TEXT, server_id TEXT, generation INTEGER, power_state INTEGER,
                        rebooted INTEGER, boots INTEGER, images TEXT, spec BLOB)""")
        row = (HOST, SERVER, 7, 1, 6, 2, "image", msgspec.json.encode(spec))
        file.execute("INSERT INTO guest VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    file.close()

    async def scenario() -> None:
        for _ in range(2):
            driver = FakeDriver(RealRuntime(), tmp_path / "file", 1)
            await driver.start()
            running = PowerState.RUNNING
            assert await driver.guests() == [Guest(server_id=SERVER, host=HOST, generation=7, power_state=running)]
            assert (await driver.console_output(HOST, SERVER, None)).count("boot ") == 2
            await driver.close()
        await driver.start()
        assert (await driver.guest_pause(HOST, SERVER, 8)).power_state is PowerState.PAUSED
        await driver.close()

    asyncio.run(scenario())


def test_file__another_process_writes_to_it__that_is_seen_at_once(tmp_path: Path) -> None:
    """Two drivers on one file are what agents are that have a process each."""

    async def scenario() -> None:
        images = Images()
        spec = guest_spec(images.add("image", hello_disk()), config_drive={})
        one, other = (FakeDriver(RealRuntime(), tmp_path / "file", 2) for _ in range(2))
        await one.start()
        await other.start()
        made = await one.guest_ensure(HOST, spec, images)
        assert await other.guests() == [made]
        paused = await other.guest_pause(HOST, SERVER, spec.generation)
        assert await one.guests() == [paused]
        await one.guest_destroy(HOST, SERVER, spec.generation)
        assert await other.guests() == []
        await one.close()
        await other.close()

    asyncio.run(scenario())
