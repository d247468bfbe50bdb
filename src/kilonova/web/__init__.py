"""What every HTTP service shares: routing by version, negotiation, errors, tokens, policy, limits.

May import `clients`, `database`, `runtime`, `objects`, `kernel`. Owns no durable state. Start reading in `service.py`:
one request's way in and out.
"""
