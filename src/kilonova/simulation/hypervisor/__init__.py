"""A simulated hypervisor: guests that outlive every process of the cloud, made slowly, in parts, and not always.

`hardware.py` is the hardware of all hosts, which says what must never be. `migration.py` is a live migration, which the hardware
goes on with whoever waits for it. `driver.py` is one agent's way to it: an order has two halves with time between them, and a
process that is killed in between, or an order that fails there, leaves what the first half did.
"""

from kilonova.simulation.hypervisor.driver import SimDriver
from kilonova.simulation.hypervisor.hardware import HostSize, Hypervisor

__all__ = ["HostSize", "Hypervisor", "SimDriver"]
