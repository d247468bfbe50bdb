"""The durable engine: operations with leases, epochs, steps, undo and deadlines. It knows no server.

May import `cells` and below. `store.py` owns the tables `operations` and `operation_events`, which stand in the API
database (requests not yet in a cell) and in every cell's.
"""
