"""Databases: engines, transactions, and the tables.

May import `runtime`, `objects`, `kernel`. A transaction function is synchronous, takes a `Transaction` first and is
named with the suffix `_txn`; a `Database` runs it. `tables/` declares what each database holds; who writes a table is
said in the table's module.
"""
