"""The kinds of values that request bodies hold."""

from typing import Annotated

from msgspec import Meta

PROJECT_NAME_MAX = 64
NAME_MAX = 255

Name = Annotated[
    str, Meta(min_length=1, max_length=NAME_MAX, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
]
"""A name: some visible character, no control characters."""
ProjectName = Annotated[
    str,
    Meta(min_length=1, max_length=PROJECT_NAME_MAX, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"),
]
"""A project's name, as `Name`."""
Text = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00]*$")]
"""A description: anything but NUL, which some databases can't keep."""
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
"""Somebody's id."""
Email = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]
Secret = Annotated[str, Meta(min_length=1, max_length=4096)]
"""A password or secret."""
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00,/]*$")]
