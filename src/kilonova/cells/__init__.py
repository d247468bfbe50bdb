"""Cells: which databases there are, which server is where, and lists over all of them.

May import `placement` and below. Owns the tables `cells`, `host_map`, `server_map` of the API database and `hosts`
and `agents` of each cell.
"""
