"""The only writer of the image database; and point reads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.kernel.errors import Conflict, Forbidden, NotFound, OverLimit
from kilonova.standalone.image.tables import images, members, tags

Row = Mapping[str, Any]

IMAGES_MAX = 1000
"""Most images of a project."""
MEMBERS_MAX = 128
"""Most projects that an image is shared with."""
TAGS_MAX = 128
"""Most tags of an image."""

_ONE = Prepared(select(images).where(images.c.id == bindparam("image_id")))
_TAGS = select(tags).where(tags.c.image_id.in_(bindparam("ids", expanding=True))).order_by(tags.c.tag)


class NoSuchImage(NotFound):
    """No image found with ID {id}."""

    code = "no-such-image"


class NoSuchMember(NotFound):
    """{member} not found in the member list of the image {id}."""

    code = "no-such-member"


class ImageExists(Conflict):
    """Image ID {id} already exists."""

    code = "image-exists"


class Protected(Forbidden):
    """Image {id} is protected and cannot be deleted."""

    code = "image-protected"


class WrongStatus(Conflict):
    """Image {id} is in status {status}; {what} needs status {needed}."""

    code = "image-status"


def image_txn(tx: Transaction, /, image_id: str) -> Row:
    """An image with its `tags`. Raises `NoSuchImage`."""
    row = tx.execute(_ONE, {"image_id": image_id}).mappings().one_or_none()
    if row is None:
        raise NoSuchImage(id=image_id)
    return {**row, "tags": tags_txn(tx, [image_id]).get(image_id, [])}


def tags_txn(tx: Transaction, /, image_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """The tags of images, sorted."""
    found: dict[str, list[str]] = {}
    for row in tx.execute(_TAGS, {"ids": image_ids}):
        found.setdefault(row.image_id, []).append(row.tag)
    return found


def member_txn(tx: Transaction, /, image_id: str, member: str | None) -> Row | None:
    """What is known of a project that an image is shared with; None when it is not."""
    asked = select(members).where(members.c.image_id == image_id, members.c.member == member)
    row = tx.execute(asked).mappings().one_or_none()
    return None if row is None else dict(row)


def members_txn(tx: Transaction, /, image_id: str) -> Sequence[Row]:
    """All projects that an image is shared with."""
    asked = select(members).where(members.c.image_id == image_id).order_by(members.c.member)
    return [dict(row) for row in tx.execute(asked).mappings()]


def create_txn(tx: Transaction, /, row: Row, image_tags: Sequence[str]) -> Row:
    """Add a queued image. Raises `ImageExists`, `OverLimit`."""
    counted = select(func.count()).select_from(images).where(images.c.owner == row["owner"])
    used = tx.execute(counted).scalar_one()
    if used >= IMAGES_MAX:
        raise OverLimit(resource="images", requested=1, used=used, limit=IMAGES_MAX)
    try:
        tx.execute(insert(images).values(**row, status="queued", created_at=tx.now, updated_at=tx.now))
    except IntegrityError as error:
        raise ImageExists(id=row["id"]) from error
    _set_tags_txn(tx, row["id"], image_tags)
    return image_txn(tx, row["id"])


def update_txn(tx: Transaction, /, image_id: str, change: Callable[[Row], tuple[Row, Sequence[str]]]) -> Row:
    """Change an image: `change` makes its new fields and tags from the row. Raises `NoSuchImage` and what `change` does."""
    values, image_tags = change(image_txn(tx, image_id))
    tx.execute(update(images).where(images.c.id == image_id).values(**values, updated_at=tx.now))
    _set_tags_txn(tx, image_id, image_tags)
    return image_txn(tx, image_id)


def move_txn(tx: Transaction, /, image_id: str, what: str, old: Sequence[str], new: str, **values: object) -> None:
    """Change an image's status, if it is one of `old`. Raises `NoSuchImage`, `WrongStatus`."""
    legal = images.c.status.in_(old)
    change = update(images).where(images.c.id == image_id, legal).values(status=new, updated_at=tx.now, **values)
    if tx.execute(change).rowcount == 0:
        status = image_txn(tx, image_id)["status"]
        raise WrongStatus(id=image_id, status=status, what=what, needed=" or ".join(old))


def delete_txn(tx: Transaction, /, image_id: str) -> None:
    """Delete an image with its tags and members. Raises `NoSuchImage`, `Protected`."""
    if image_txn(tx, image_id)["protected"]:
        raise Protected(id=image_id)
    tx.execute(delete(tags).where(tags.c.image_id == image_id))
    tx.execute(delete(members).where(members.c.image_id == image_id))
    tx.execute(delete(images).where(images.c.id == image_id))


def images_of_txn(tx: Transaction, /, owner: str, properties: Mapping[str, str]) -> Sequence[Row]:
    """All images of a project with these properties, newest first."""
    wanted = [images.c.properties[name].as_string() == value for name, value in properties.items()]
    order = (images.c.created_at.desc(), images.c.id.desc())
    rows = tx.execute(select(images).where(images.c.owner == owner, *wanted).order_by(*order)).mappings().all()
    found = tags_txn(tx, [row["id"] for row in rows])
    return [{**row, "tags": found.get(row["id"], [])} for row in rows]


def tag_txn(tx: Transaction, /, image_id: str, tag: str, wanted: bool) -> None:
    """Add or remove one tag. Raises `NoSuchImage`, `OverLimit`, and `NotFound` for a tag that is not there."""
    present = image_txn(tx, image_id)["tags"]
    if wanted and tag not in present:
        _set_tags_txn(tx, image_id, [*present, tag])
    elif not wanted:
        if tag not in present:
            raise NotFound(kind="tag", id=tag)
        _set_tags_txn(tx, image_id, [each for each in present if each != tag])
    tx.execute(update(images).where(images.c.id == image_id).values(updated_at=tx.now))


def share_txn(tx: Transaction, /, image_id: str, member: str) -> Row:
    """Share an image with a project, pending its consent. Raises `Conflict`, `OverLimit`."""
    if member_txn(tx, image_id, member) is not None:
        raise Conflict(reason=f"Image {image_id} is shared with {member} already.")
    used = len(members_txn(tx, image_id))
    if used >= MEMBERS_MAX:
        raise OverLimit(resource="image_members", requested=1, used=used, limit=MEMBERS_MAX)
    row = {"image_id": image_id, "member": member, "status": "pending", "created_at": tx.now, "updated_at": tx.now}
    tx.execute(insert(members).values(**row))
    return row


def consent_txn(tx: Transaction, /, image_id: str, member: str, status: str) -> Row:
    """Say whether a project wants the image in its list. Raises `NoSuchMember`."""
    row = member_txn(tx, image_id, member)
    if row is None:
        raise NoSuchMember(member=member, id=image_id)
    own = (members.c.image_id == image_id) & (members.c.member == member)
    tx.execute(update(members).where(own).values(status=status, updated_at=tx.now))
    return {**row, "status": status, "updated_at": tx.now}


def unshare_txn(tx: Transaction, /, image_id: str, member: str) -> None:
    """Take an image back from a project. Raises `NoSuchMember`."""
    gone = delete(members).where(members.c.image_id == image_id, members.c.member == member)
    if tx.execute(gone).rowcount == 0:
        raise NoSuchMember(member=member, id=image_id)


def requeue_interrupted_txn(tx: Transaction, /) -> Sequence[str]:
    """After a start: uploads that were under way are over. The ids of all images that have a content."""
    tx.execute(update(images).where(images.c.status == "saving").values(status="queued", updated_at=tx.now))
    return list(tx.execute(select(images.c.id).where(images.c.status != "queued")).scalars())


def _set_tags_txn(tx: Transaction, image_id: str, wanted: Sequence[str]) -> None:
    unique = sorted(set(wanted))
    if len(unique) > TAGS_MAX:
        raise OverLimit(resource="image_tags", requested=len(unique), used=0, limit=TAGS_MAX)
    tx.execute(delete(tags).where(tags.c.image_id == image_id))
    if unique:
        tx.execute(insert(tags), [{"image_id": image_id, "tag": tag} for tag in unique])
