"""What can be done to a server that is in a cell: one file for each kind of operation, with its plan and its action.

A plan is the table of its steps, an action what users see of it. May import the rest of `operations` but not what assembles
these files (`catalog`) or uses them through it. Owns no table.
"""
