"""Wake-up hints between roles. Truth is in the database: a lost hint costs one poll period, never an operation.

May import `runtime`, `objects`, `kernel`. Owns no durable state.
"""
