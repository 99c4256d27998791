"""What going back to an earlier revision takes at AWS: one call, while AWS still holds what was deployed of it."""

from __future__ import annotations

from collections.abc import Iterable

from apis.models import Revision
from gateways.desired import definitions_of, upstreams_for
from gateways.drivers.aws.kinds import ApiType, named
from gateways.drivers.aws.publishing import stage_of, wanted_of
from gateways.drivers.aws.work import STAGES
from gateways.engine.document import Document
from gateways.models import Publication, RemoteObject
from gateways.objects import Published, route_of

MOST_LOOKED_AT = 20
"""AWS keeps fewer."""


def kept_at_aws(publication: Publication, revisions: Iterable[Revision]) -> frozenset[int]:
    """Those of `revisions` (primary keys) whose deployment AWS still holds just as it would be made now.

    Needs of the publication what `Published.of` reads.
    """
    names = [named(publication.public_id, kind) for kind in ApiType]
    stages = RemoteObject.objects.filter(gateway=publication.gateway_id, sort=STAGES, name__in=names)
    made = {(stage.name, wanted) for stage in stages for wanted in stage.value.get("made", {})}
    if not made:
        return frozenset()
    looked_at = list(revisions)[:MOST_LOOKED_AT]
    return frozenset(revision.pk for revision in looked_at if _wanted(publication, revision) in made)


def _wanted(publication: Publication, revision: Revision) -> tuple[str, str]:
    """The stage that it would be served at, as a resource, and what that would be made of."""
    row = Published.of(publication)._replace(
        revision=revision.public_id,
        policies=revision.policies,
        upstream_id=revision.upstream_id,
        upstream_kind=revision.upstream.kind,
    )
    upstream = upstreams_for([row]).get(row.public_id)
    if upstream is None:
        return "", ""
    route = route_of(row, upstream)
    definition = definitions_of([row], whole=())[row.revision]
    document = Document.of([route, upstream, definition])
    try:
        return stage_of(document, route), wanted_of(document, route)
    except ValueError:
        return "", ""  # of no type that there is
