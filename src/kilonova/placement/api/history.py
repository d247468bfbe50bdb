"""Every version of the Placement API, oldest first, and what each changed (Placement API, "REST API Version History").

A change that only adds a route is named all the same; its `Route` says since when.
"""

from kilonova.kernel.versions import Change, Doc, Line, accepted, added


def _effect(name: str, shape: str, why: str) -> Change:
    return Change(name=name, shape=shape, why=why, effect=True)


def _link(rel: str) -> Change:
    """Providers link to one more of their parts."""

    def down(doc: Doc) -> None:
        doc["links"] = [link for link in doc["links"] if link["rel"] != rel]

    why = f"Providers carry a link to their {rel}."
    return Change(name=f"{rel}-link", shape="provider", why=why, down=down, loses=frozenset({"links"}))


def _list_to_map(doc: Doc) -> None:
    """Allocations as a list of provider and resources, read as a map by provider."""
    listed = doc.get("allocations")
    if isinstance(listed, list) and all(_is_listed(one) for one in listed):
        doc["allocations"] = {
            one["resource_provider"]["uuid"]: {key: one[key] for key in one if key != "resource_provider"}
            for one in listed
        }
    elif isinstance(listed, dict):
        doc["allocations"] = [listed]  # the newer form, which this version refuses


def _is_listed(one: object) -> bool:
    if not isinstance(one, dict) or "generation" in one:
        return False
    provider = one.get("resource_provider")
    return isinstance(provider, dict) and set(provider) == {"uuid"} and isinstance(provider["uuid"], str)


def _map_to_list(doc: Doc) -> None:
    doc["allocations"] = [
        {"resource_provider": {"uuid": uuid}, "resources": held["resources"]}
        for uuid, held in doc["allocations"].items()
    ]


_BY_PROVIDER = "Allocations are a map by provider, with their owner; candidates come in the same form."

PLACEMENT = Line(
    "placement",
    (
        ("1.0", ()),
        ("1.1", (_effect("provider-aggregates", "route", "Aggregates of a provider."), _link("aggregates"))),
        ("1.2", (_effect("resource-classes", "route", "Resource classes are listed, and custom ones made."),)),
        (
            "1.3",
            (
                accepted(
                    "providers_query", "member_of", name="providers-member-of", why="Providers are found by aggregate."
                ),
            ),
        ),
        (
            "1.4",
            (
                accepted(
                    "providers_query",
                    "resources",
                    name="providers-resources",
                    why="Providers are found by free resources.",
                ),
            ),
        ),
        ("1.5", (_effect("inventories-delete", "route", "All inventories of a provider are deleted at once."),)),
        ("1.6", (_effect("traits", "route", "Traits, and those of a provider."), _link("traits"))),
        ("1.7", (_effect("class-ensure", "route", "PUT of a resource class makes it or finds it, without a body."),)),
        (
            "1.8",
            (
                accepted(
                    "allocations_body",
                    "project_id",
                    "user_id",
                    name="allocation-owner",
                    why="Allocations name their project and user.",
                    effect=True,
                ),
            ),
        ),
        ("1.9", (_effect("usages", "route", "Usages of a project, or of a user in it."),)),
        ("1.10", (_effect("candidates", "route", "Providers that can give what a request needs."),)),
        ("1.11", (_link("allocations"),)),
        (
            "1.12",
            (
                Change(name="allocations-by-provider", shape="allocations_body", why=_BY_PROVIDER, up=_list_to_map),
                Change(
                    name="candidates-by-provider",
                    shape="allocation_request",
                    why=_BY_PROVIDER,
                    down=_map_to_list,
                ),
                added("allocations", "project_id", "user_id", name="allocation-owner-shown", why=_BY_PROVIDER),
            ),
        ),
        ("1.13", (_effect("allocations-together", "route", "Allocations of several consumers are written together."),)),
        (
            "1.14",
            (
                accepted("provider_body", "parent_provider_uuid", name="provider-parent", why="Providers form trees."),
                added(
                    "provider",
                    "parent_provider_uuid",
                    "root_provider_uuid",
                    name="provider-tree",
                    why="Providers show their parent and their root.",
                ),
                accepted("providers_query", "in_tree", name="providers-in-tree", why="Providers are found by tree."),
            ),
        ),
        ("1.15", (_effect("freshness", "headers", "Replies say when they last changed, and are not to be cached."),)),
        ("1.16", (accepted("candidates_query", "limit", name="candidates-limit", why="Candidates are limited."),)),
        (
            "1.17",
            (
                accepted("candidates_query", "required", name="candidates-required", why="Candidates have traits."),
                added("provider_summary", "traits", name="summary-traits", why="Summaries show traits."),
            ),
        ),
        ("1.18", (accepted("providers_query", "required", name="providers-required", why="Providers have traits."),)),
        (
            "1.19",
            (
                added(
                    "aggregates",
                    "resource_provider_generation",
                    name="aggregates-generation",
                    why="Aggregates of a provider are written with its generation.",
                    effect=True,
                ),
            ),
        ),
        ("1.20", (_effect("provider-post-body", "provider", "POST of a provider answers with it."),)),
        (
            "1.21",
            (
                accepted(
                    "candidates_query", "member_of", name="candidates-member-of", why="Candidates are in aggregates."
                ),
            ),
        ),
        ("1.22", (_effect("forbidden-traits", "query", "required takes !TRAIT."),)),
        ("1.23", (_effect("error-codes", "errors", "Errors carry a code."),)),
        ("1.24", (_effect("member-of-repeated", "query", "member_of may be repeated; all of them must hold."),)),
        ("1.25", (_effect("granular-groups", "query", "Numbered groups of resources."),)),
        ("1.26", (_effect("all-reserved", "inventory", "All of an inventory may be reserved."),)),
        ("1.27", (_effect("summaries-whole", "provider_summary", "Summaries show all classes of a provider."),)),
        (
            "1.28",
            (
                accepted(
                    "allocations_body",
                    "consumer_generation",
                    name="consumer-generation",
                    why="Allocations are written with the generation of their consumer.",
                    effect=True,
                ),
                added(
                    "allocations",
                    "consumer_generation",
                    name="consumer-generation-shown",
                    why="Allocations show the generation of their consumer.",
                ),
                added(
                    "holding",
                    "consumer_generation",
                    name="holder-generation-shown",
                    why="Allocations of a provider show the generation of each consumer.",
                ),
            ),
        ),
        (
            "1.29",
            (
                added(
                    "provider_summary",
                    "parent_provider_uuid",
                    "root_provider_uuid",
                    name="nested-candidates",
                    why="Candidates come from trees of providers.",
                ),
            ),
        ),
        ("1.30", (_effect("reshaper", "route", "Inventories and allocations move together."),)),
        ("1.31", (accepted("candidates_query", "in_tree", name="candidates-in-tree", why="Candidates of one tree."),)),
        ("1.32", (_effect("forbidden-aggregates", "query", "member_of takes !AGGREGATE."),)),
        ("1.33", (_effect("group-names", "query", "Groups of resources have names."),)),
        (
            "1.34",
            (
                accepted("allocations_body", "mappings", name="mappings-taken", why="Mappings may be sent back."),
                added("allocation_request", "mappings", name="mappings", why="Candidates say which group is where."),
            ),
        ),
        (
            "1.35",
            (accepted("candidates_query", "root_required", name="root-required", why="The root has these traits."),),
        ),
        ("1.36", (_effect("same-subtree", "query", "Groups share a subtree."),)),
        ("1.37", (_effect("reparent", "provider_body", "Providers move between trees."),)),
        (
            "1.38",
            (
                accepted(
                    "allocations_body",
                    "consumer_type",
                    name="consumer-type",
                    why="Consumers have a type.",
                    effect=True,
                ),
                added("allocations", "consumer_type", name="consumer-type-shown", why="Consumers show their type."),
                accepted("usages_query", "consumer_type", name="usages-by-type", why="Usages by type.", effect=True),
            ),
        ),
        ("1.39", (_effect("any-traits", "query", "required takes in:A,B and may be repeated."),)),
    ),
)
"""1.0 (Newton) to 1.39 (Yoga)."""
