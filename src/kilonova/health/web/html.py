"""HTML made of functions: text is escaped unless it is `Html` already, so nothing that users write becomes markup. Pure."""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Markup that is sent as it is."""

    __slots__ = ()


def el(
    tag: str, /, *children: "Html | str | int | float | None", **attributes: "str | int | float | bool | None"
) -> Html:
    """An element.

    Args:
        tag: its name.
        children: markup, or text that is escaped; None is nothing.
        attributes: a `_` at the end is cut off and others become dashes (`class_`, `aria_label`); None and False leave the
            attribute out, True writes it without a value.
    """
    told = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in VOID:
        return Html(f"<{tag}{told}>")
    return Html(f"<{tag}{told}>{join(children)}</{tag}>")


def join(children: "Iterable[Html | str | int | float | None]") -> Html:
    """Markup one after the other."""
    return Html("".join(_child(child) for child in children))


def link(to: str, text: "Html | str", **attributes: "str | int | float | bool | None") -> Html:
    """A link. One that leads neither below this host nor to http or https is text."""
    if not to.startswith(("/", "#", "?", "http://", "https://")):
        return el("span", text)
    return el("a", text, href=to, **attributes)


def data_table(heads: Iterable[str], rows: "Iterable[Iterable[Html | str | int | float | None]]", caption: str) -> Html:
    """A table; the first cell of each row is its head."""
    head = el("tr", *(el("th", one, scope="col") for one in heads))
    body = []
    for row in rows:
        first, *rest = row
        body.append(el("tr", el("th", first, scope="row"), *(el("td", one) for one in rest)))
    table = el("table", el("caption", caption), el("thead", head), el("tbody", *body))
    return el("div", table, class_="scroll")


def _child(child: "Html | str | int | float | None") -> str:
    if child is None:
        return ""
    return child if isinstance(child, Html) else escape(str(child))


def _attribute(key: str, value: "str | int | float | bool | None") -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
