"""Real guests, each a QEMU process of its own that outlives Kilonova.

Read `guests.py` first: what every order about a guest needs, then `power.py`: what happens to it, and `machine.py`: one guest's
QEMU. `driver.py` is the door. What they use, an idea a file:

- `disks.py` rescues, rebuilds and resizes, `snapshot.py` copies the disk of a guest that goes on, `devices.py` plugs in and out,
  `guest_agent.py` asks the agent inside the guest.
- `offers.py` moves stopped guests between hosts, with `nbd.py` to read; `migration.py` moves running ones; `storage.py` is the
  place for disks that hosts share.
- `probe.py` finds QEMU and tries what acceleration works; `resources.py` reads what the machine has to give.
- `builder.py` puts a guest together; `guest_dir.py` is a guest on disk, a directory that is there whole or not at all.
- `images.py` is the verified cache of base images; a guest holds a hard link, so a base in use is never lost.
- `command.py`, `networking.py`, `config_drive.py` are pure: the command line, its network words, the bytes of the ISO.
- `volumes.py` says how a volume is connected, `jobs.py` waits for copies that QEMU makes, `tool.py` runs `qemu-img`.
- `process.py` starts QEMU and tells whether it lives, `user.py` says who it runs as, `monitor.py` talks QMP to it by way of
  `sockets.py`.
- `console.py` keeps the end of the serial console. `durable.py` writes files that survive a power failure.

State: the state directory given, and the processes.
"""
