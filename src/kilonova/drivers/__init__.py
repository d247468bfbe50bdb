"""Hypervisors behind one small Protocol (`driver.py`): `fake` for thousands of hosts, `qemu` for real guests.

May import `runtime`, `objects`, `kernel`. Guests, disks and their metadata belong to the hypervisor and outlive the process.
"""
