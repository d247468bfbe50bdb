"""What must hold: `always` is checked after every commit, `at_rest` when the faults are over and everything has finished.

The list they come from: an accepted request becomes an operation or its effect; one live operation a server; epochs never go
down; allocated never exceeds capacity; a placed server has exactly one consumer with exactly its flavor on exactly its host, and
no consumer is without owner; a server runs on one host at most; there is a task state when there is a live operation, and each
pair of states is legal; of a deleted server nothing is left; the quota ledger is the servers that live; every operation ends
with a record whose lines are in order, and no attempt is reported twice; states change only as the table of actions allows, and
`updated_at` never goes back; a project never has more than its quota; members of a group don't share a host; no project is shown
another's servers; no secret outlives its boot; at rest no process has work left over; a list shows each server once.

Not here: volumes, which do not exist yet, and memory, files and connections, which only real processes have.
"""
