"""Which providers, alone or together, can give what is asked for: `GET /allocation_candidates`, exact, in memory, pure.

May import `kernel` and placement's `shapes`. Owns no state in a database: a `Fleet` (`fleet.py`) is a copy of what the
placement database says of its providers, and `loader.py` alone reads it from there. Start reading in `search.py`: a `Query`
(`query.py`) over a fleet gives an `Answer` (`answer.py`); `rendering.py` writes it as the API shows it, and
`explaining.py` tells why an answer is empty.

How a fleet stays fresh: every transaction that changes a provider (its name, parent, inventories, what is used of them,
traits, aggregates, its being there at all) inserts a row for it into `provider_changes(seq, provider_uuid)`, where `seq` counts
up. A refresh reads the rows after the last one it saw and then those providers, whole; reading one again does no harm.
Where transactions run side by side, a lower number can be committed after a higher one. So a refresh remembers which numbers
it has not seen yet, and asks for them again until it sees them, or until no transaction can be open any more that had
taken one.
"""
