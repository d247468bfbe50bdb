"""What can be done to a server: one file per operation, and the conductor that carries them out.

May import `network`, `engine` and below. `store.py` is the only module that writes servers; `quota.py` owns the quota ledger.
"""
