"""AggregateImagePropertiesIsolation: aggregates say which values of image properties they take."""

from kilonova.scheduler.filters.filter import Rule, RuleOf
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest


def aggregate_image_properties_isolation(namespace: str, separator: str) -> RuleOf:
    """Only hosts none of whose aggregates has other values for a property that the image has.

    A key of an aggregate counts when it begins with `namespace` and `separator`, or always with an empty namespace. Its value
    is a list with commas.
    """
    start = namespace + separator if namespace else ""

    def rule(request: ServerRequest) -> Rule | None:
        properties = {key: value for key, value in request.image_properties.items() if key.startswith(start) and value}

        def takes(host: HostState) -> bool:
            return all(
                properties[key] in _listed(allowed)
                for aggregate in host.aggregates
                for key, allowed in aggregate.metadata.items()
                if key in properties
            )

        return takes if properties else None

    return rule


def _listed(text: str) -> set[str]:
    return {one.strip() for one in text.split(",")}
