"""A request to boot servers, in its newest shape and with every reference checked."""

import msgspec

from kilonova.objects.guest import GuestImage
from kilonova.objects.server import Server


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """One server to be made. Multi-create is a list of these that is accepted or refused as a whole."""

    server: Server
    """As it will first be shown: BUILD, no host. Its id is new."""
    image: GuestImage | None
    """The image's content as the image service described it to the API: what the host will fetch and verify."""
    kernel: GuestImage | None = None
    """For images with `kernel_id`: booted directly."""
    ramdisk: GuestImage | None = None
    security_group_ids: tuple[str, ...] = ()
    """Of the groups named in `server.security_groups`: what ports made for it get."""
    volumes: tuple[str, ...] = ()
    """Ids of `server.volumes`, which are reserved for it on its host's side."""
    files: tuple[tuple[str, str], ...] = ()
    """Injected files: path and base64 content (until microversion 2.56)."""
    admin_password: str | None = None
    """Handed to the guest in the config drive, never stored beyond the boot."""
