"""The whole cloud in one seeded, replayable loop: virtual time, killable processes, faults, checks.

May import everything but `cli`. The roles run unchanged; only the loop, databases, bus and hypervisor are doubles.
"""
