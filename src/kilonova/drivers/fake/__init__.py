"""The `fake` hypervisor: up to 10,000 hosts whose guests are rows of a file that outlives the process.

`guest.py` is the record of a guest, `moves.py` what each order makes of it, `orders.py` how orders are carried out, on whatever
keeps the records: the simulation's hypervisor uses these three too. `driver.py` is the driver, `store.py` the file that plays the
hypervisor, `timings.py` the knobs: how long things take and what goes wrong; `disk_content.py` makes snapshots. State: one SQLite
file, which belongs to the hypervisor and not to the cloud.
"""
