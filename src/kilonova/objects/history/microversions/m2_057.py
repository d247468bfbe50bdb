"""2.57: Files are no longer injected into servers, and their limits and quotas are gone."""

from kilonova.kernel.versions import Change, accepted, refused, withdrawn

_FILES = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")

CHANGES: tuple[Change, ...] = (
    withdrawn(
        "limits", "maxPersonality", "maxPersonalitySize", name="limits-files-gone", why="Limits say nothing of files."
    ),
    withdrawn("quota_set", *_FILES, name="quota-files-gone", why="Quota sets say nothing of injected files."),
    refused("quota_set_update", *_FILES, name="quota-update-files-gone", why="Quotas of injected files can't be set."),
    withdrawn(
        "quota_class_set", *_FILES, name="quota-class-files-gone", why="Quota classes say nothing of injected files."
    ),
    refused(
        "quota_class_set_update",
        *_FILES,
        name="quota-class-update-files-gone",
        why="Quotas of injected files can't be set for a class.",
    ),
    refused(
        "server_create",
        "personality",
        name="server-create-personality-gone",
        why="Files are no longer injected into new servers; user data does that.",
    ),
    refused(
        "server_rebuild",
        "personality",
        name="server-rebuild-personality-gone",
        why="Files are no longer injected by a rebuild; user data does that.",
    ),
    accepted(
        "server_rebuild",
        "user_data",
        name="server-rebuild-user-data",
        why="The user data of a server can be changed by a rebuild, whose answer shows it.",
        effect=True,
    ),
)
