"""The one door to clock, ids, randomness, tasks and blocking calls.

May import `objects` and `kernel`. Owns no state. Code above never imports `time`, `random`, `uuid`, `secrets` or
`threading` itself: it asks the `Runtime` it was given, so that the same code runs for real and in the simulation.
"""
