"""Variants of the design that are broken on purpose: each has to be caught, or the workload or the checkers have a hole.

May import whatever it breaks. `mutant` says what a variant is and puts it in for the length of a run; `engine`, `placement`,
`operations`, `network` and `hosts` hold the variants,
`table` all of them by name; `hunt` looks for the first seed that catches one.
"""
