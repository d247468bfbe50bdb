"""Versioned notifications: what happens is told to others in OpenStack's payloads, at least once and in order.

May import `clients`, `database`, `runtime`, `objects`, `kernel`. Owns the tables `outbox`: whoever writes what is to be told adds
a line there in the same transaction (`outbox.py`), and the publisher hands the lines to a sink (`publisher.py`). Nothing is
written where nobody is told.
"""
