"""The `fake` hypervisor: up to 10,000 hosts whose guests are rows of a file that outlives the process.

`driver.py` is the driver, `store.py` the file that plays the hypervisor, `timings.py` the knobs: how long things take and
what goes wrong. State: one SQLite file, which belongs to the hypervisor and not to the cloud.
"""
