"""What the pages of project health share: HTML that is escaped by construction, the frame around it, plots.

May import `web`, `objects`, `kernel` and `health`'s own pure modules; neither `ci` nor `bugs`. Owns no state.
"""
