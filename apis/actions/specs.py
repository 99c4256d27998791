"""OpenAPI documents: read apart, stored once, made the working draft of a version."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apis.models import ApiVersion, Operation, SpecDocument
from apis.spec.document import ReadSpec, read_spec
from apis.spec.problems import SpecProblem, SpecRefused
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor, Verb


class SpecNotAccepted(ActionRefused):
    """The document has errors; nothing was saved. `problems` holds them in the order of the document, all of them
    unless `cut`."""

    status = 422

    def __init__(self, problems: tuple[SpecProblem, ...], *, cut: bool = False) -> None:
        count = len(problems)
        many = _(
            "The document has more errors than are listed; here are the first %(count)s. Correct them and upload it "
            "again; nothing was saved."
        )
        message = (
            many
            if cut
            else ngettext(
                "The document has %(count)s error. Correct it and upload it again; nothing was saved.",
                "The document has %(count)s errors. Correct them and upload it again; nothing was saved.",
                count,
            )
        )
        super().__init__(message % {"count": count}, code="spec_invalid")
        self.problems = problems
        self.cut = cut

    @property
    def details(self) -> dict[str, Any]:
        """The problems as the REST API tells them."""
        return {"errors": [_told(problem) for problem in self.problems]}


def _told(problem: SpecProblem) -> dict[str, Any]:
    return {
        "field": problem.pointer,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
    }


def read_document(data: bytes, filename: str = "") -> ReadSpec:
    """Read an OpenAPI 3.0 or 3.1 document (JSON or YAML) in a process of its own, with limits.

    Takes up to some seconds, so call it outside a transaction. Raises SpecNotAccepted.
    """
    try:
        return read_spec(data, filename)
    except SpecRefused as refusal:
        raise SpecNotAccepted(tuple(refusal.problems), cut=refusal.cut) from refusal


def import_spec(version: ApiVersion, *, actor: Actor, data: bytes, filename: str = "") -> SpecDocument:
    """Make the document in `data` the working draft of `version`. What is published does not change.

    Raises PermissionDenied, ActionRefused for a retired version, and SpecNotAccepted with every error.
    """
    actor.require(Verb.API_EDIT, version.api.team)
    return store_spec(version, actor=actor, read=read_document(data, filename), filename=filename)


@transaction.atomic
def store_spec(version: ApiVersion, *, actor: Actor, read: ReadSpec, filename: str = "") -> SpecDocument:
    """Keep a document that was read, once per team and content, as the draft of `version`."""
    version = (
        ApiVersion.objects.select_for_update(of=("self",))
        .select_related("api__team", "spec")
        .get(pk=version.pk)
    )
    actor.require(Verb.API_EDIT, version.api.team)
    if version.state == ApiVersion.State.RETIRED:
        raise ActionRefused(
            _("This version is retired. Make a new version for this document."), code="version_retired"
        )
    before = {"spec": version.spec.public_id if version.spec else ""}
    spec = _kept(version, read, filename)
    if version.spec_id == spec.pk:
        return spec
    version.spec = spec
    version.full_clean()
    version.save()
    after = {"spec": spec.public_id, "title": spec.title, "version": spec.version, "digest": spec.digest}
    record_event("version.spec_imported", version, actor=actor, before=before, after=after)
    return spec


def _kept(version: ApiVersion, read: ReadSpec, filename: str) -> SpecDocument:
    """The stored document of the team with this content, made now when it is new."""
    spec, made = SpecDocument.objects.get_or_create(
        team=version.api.team,
        digest=read.digest,
        defaults={
            "openapi": read.openapi[:16],
            "title": plain_text(read.title, 300),
            "version": plain_text(read.version, 100),
            "filename": plain_text(filename, 200),
            "size": read.size,
            "text": read.text,
        },
    )
    if made:
        Operation.objects.bulk_create(_operation(spec, row) for row in enumerate(read.operations))
    return spec


def _operation(spec: SpecDocument, row: tuple[int, Any]) -> Operation:
    position, found = row
    return Operation(
        spec=spec,
        position=position,
        key=found.key,
        method=found.method,
        path=found.path,
        summary=plain_text(found.summary, 500),
        tags=[plain_text(tag, 200) for tag in found.tags],
        deprecated=found.deprecated,
    )


def plain_text(text: str, length: int) -> str:
    """`text` as PostgreSQL can keep it, cut to `length`."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:length]
