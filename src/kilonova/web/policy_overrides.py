"""What a policy file overrides: names that are known, rules that can be read and that lead somewhere."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from kilonova.web.policy import Rule
from kilonova.web.policy_file import BadPolicyFile, policy_read
from kilonova.web.policy_language import BadRule, Named, parsed, references


def overrides_read(file: Path, defaults: Iterable[Rule], former: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The overrides of a file, checked and by today's names. Raises `BadPolicyFile`."""
    try:
        return overrides_checked(policy_read(file), defaults, former)
    except BadRule as error:
        raise BadPolicyFile(file=file, reason=error.message) from error


def overrides_checked(
    given: Mapping[str, str], defaults: Iterable[Rule], former: Mapping[str, Iterable[str]]
) -> dict[str, str]:
    """`given` by today's names.

    An override of a former name holds for the rules that took its place and have no override of their own, unless it is no
    more than a reference to the new rule, as oslo.policy has it. Names of the operator's own are taken when another override
    asks them.

    Raises:
        BadRule: for a name that no rule has and no override asks, an expression that can't be read, a reference to a rule
            that is not there, and rules that ask each other in a circle.
    """
    texts = {rule.name: rule.check for rule in defaults}
    trees = {name: parsed(name, text) for name, text in given.items()}
    asked = {reference for tree in trees.values() for reference in references(tree)}
    known = [*texts, *former]
    for name in given:
        if name not in texts and name not in former and name not in asked:
            raise BadRule(rule=name, reason=f"there is no such rule{_nearest(name, known)}")
    found = dict(given)
    for name, successors in former.items():
        if name in given:
            found |= {new: given[name] for new in successors if new not in given and trees[name] != Named(new)}
    texts |= found
    done: set[str] = set()
    for name in found:
        _follow(name, texts, known, (), done)
    return found


def _follow(name: str, texts: Mapping[str, str], known: list[str], way: tuple[str, ...], done: set[str]) -> None:
    """Look at a rule and at those that it asks. Raises `BadRule`."""
    if name in way:
        circle = " -> ".join((*way[way.index(name) :], name))
        raise BadRule(rule=way[0], reason=f"it asks itself: {circle}.")
    if name in done:
        return
    for reference in references(parsed(name, texts[name])):
        if reference not in texts:
            raise BadRule(
                rule=name, reason=f"it asks rule:{reference}, which is not there{_nearest(reference, [*texts, *known])}"
            )
        _follow(reference, texts, known, (*way, name), done)
    done.add(name)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else "; `kilonova policy show` lists those that are."
