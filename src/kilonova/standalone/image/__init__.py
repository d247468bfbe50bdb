"""The built-in image service: Image API v2, as far as a cloud of one store needs it.

Owns the image database (`store.py` is its only writer) and the directory with the contents (`content.py`). Contents are
inspected before they count: an image with a backing file, an external data file or a format other than declared is
refused and nothing of it is kept. Start reading in `service.py`.

Not here: import methods, staging, locations, several stores, metadata definitions, tasks.
"""
