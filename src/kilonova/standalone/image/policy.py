"""The rules of the image service, by Glance's names."""

from kilonova.web.policy import Rule

_OWNER = "role:admin or (role:member and project_id:%(owner)s)"
_VISIBLE = "role:admin or project_id:%(owner)s or project_id:%(member)s or 'public':%(visibility)s or 'community':%(visibility)s"

RULES = (
    Rule("add_image", _OWNER, "Create an image"),
    Rule("get_images", "", "List images; what is listed depends on who asks"),
    Rule("get_image", _VISIBLE, "Show an image; what may not be shown does not exist"),
    Rule("modify_image", _OWNER, "Change an image and its tags"),
    Rule("delete_image", _OWNER, "Delete an image"),
    Rule("publicize_image", "role:admin", "Make an image public"),
    Rule("communitize_image", _OWNER, "Make an image visible to all who know its id"),
    Rule("upload_image", _OWNER, "Give an image its content"),
    Rule("download_image", _VISIBLE, "Read an image's content"),
    Rule("deactivate", _OWNER, "Keep an image's content from being read"),
    Rule("reactivate", _OWNER, "Undo that"),
    Rule("add_member", _OWNER, "Share an image with a project"),
    Rule("get_members", _VISIBLE, "List the projects that an image is shared with"),
    Rule("get_member", _VISIBLE, "Show one of them"),
    Rule("modify_member", "role:admin or project_id:%(member)s", "Accept or reject a shared image"),
    Rule("delete_member", _OWNER, "Take an image back"),
    Rule("read_deactivated", "role:admin", "Read the content of a deactivated image"),
    Rule("act_for_others", "role:admin", "See every image, and name any project as an image's owner"),
)
"""Every rule and its default; `policy.yaml` may override any."""
