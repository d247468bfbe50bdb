"""Duplicates: which known bugs a report may be about, and why.

Pure, and no model: words with their weights, an inverted index over them, and the terms that two reports share as the reason.
`make judge-duplicates` measures it on real duplicates that people have confirmed.
"""
