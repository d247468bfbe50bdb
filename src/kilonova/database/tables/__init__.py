"""The tables of each database: `api_database`, `cell_database`; placement and the built-in services keep their own.

Each module names the one module that writes its table.
"""
