"""The built-in identity service: Identity API v3, as far as a cloud of one domain needs it.

Owns the identity database: projects, users, roles, assignments, application credentials, revoked tokens and the key that
signs tokens. `store.py` is its only writer. Tokens are signed documents and are not stored; what may change after they
were issued (revocation, roles, disabled users) is looked up when they are used. Start reading in `service.py`.

There is one domain, `default`, and there are no groups, trusts, limits or federation: what asks for them gets a clear
refusal. The catalog follows from the cloud's configuration and is read-only.
"""
