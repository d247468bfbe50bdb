"""`python -m bench.scheduling`: what choosing a host costs, and what a placement costs until it is on the disk.

`fleets.py` makes hosts and requests; `decisions.py` measures decisions without a database; `durable.py` measures placements on
SQLite with `synchronous=FULL`; `racing.py` lets many processes place on nearly full hosts; `plot.py` draws cost against hosts.
"""
