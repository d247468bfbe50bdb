"""Races of several processes on one database: what simulation, where a transaction is alone, can't show.

Each contest has processes of its own that all begin at once, on SQLite and on a PostgreSQL server, and a judge that looks at what
they left behind.
"""
