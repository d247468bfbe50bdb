"""The only writers of the network database: one module a resource, all of it transaction functions.

They keep the database true by themselves: what must never happen is a constraint of the tables, and a constraint that
refuses is worded here. Who may ask for what is decided above.
"""
