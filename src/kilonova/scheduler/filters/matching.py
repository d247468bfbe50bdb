"""How a value is matched with what an extra spec or an aggregate says of it: Nova's operators.

See the Nova user guide, "Flavors", on `capabilities`: `= N` and `>= N` (at least), `== N`, `!= N`, `<= N`, `s== TEXT` and the
other comparisons of texts, `<in> PART`, `<all-in> A B`, `<or> A <or> B`; anything else has to be equal.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

_NUMBERS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le}
)
_TEXTS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {
        "s==": operator.eq,
        "s!=": operator.ne,
        "s<": operator.lt,
        "s<=": operator.le,
        "s>": operator.gt,
        "s>=": operator.ge,
    }
)


def matches(value: object, wanted: str) -> bool:
    """Whether `value` is what `wanted` says. A comparison of numbers with something that is none is false."""
    sign, *words = wanted.split() or [""]
    if sign == "<or>":
        return str(value) in {word for word in words if word != "<or>"}
    if sign in {"<in>", "<all-in>"} and words:
        within: Collection[str] = [str(one) for one in value] if isinstance(value, list | tuple) else str(value)
        return all(word in within for word in words)
    if sign in _NUMBERS and words:
        return _compared(_NUMBERS[sign], value, words[0])
    if sign in _TEXTS and words:
        return _TEXTS[sign](str(value), words[0])
    return str(value) == wanted


def _compared(compare: Callable[[float, float], bool], value: object, wanted: str) -> bool:
    try:
        return compare(float(str(value)), float(wanted))
    except ValueError:
        return False
