"""A prompt becomes an API: its document, and the upstream that leads to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ai.models import ModelRoute, Prompt, PromptVersion
from ai.prompts.openapi import document
from ai.prompts.variables import variables_of
from apis.actions.apis import begin_api
from apis.actions.specs import import_spec
from apis.actions.upstreams import choose_upstream, create_ai_upstream
from apis.models import ApiVersion, Environment
from audit.models import ActionRefused
from teams.models import Actor


def offer_prompt(
    prompt: Prompt,
    *,
    actor: Actor,
    labels: Mapping[Environment, str],
    name: str = "",
    slug: str = "",
    summary: str = "",
    model_routes: Sequence[ModelRoute] = (),
) -> ApiVersion:
    """A new API of the prompt's team whose calls are answered by `prompt`, with an OpenAPI document of its variables
    and its output: a draft, with everything but a plan.

    `labels` say by environment which version answers; `model_routes` are aliases that callers may name beside it.
    Raises PermissionDenied, ValidationError, ActionRefused.
    """
    version_of_prompt = _described(prompt, labels)
    text = document_of(version_of_prompt, name or prompt.name)
    with transaction.atomic():
        version = begin_api(
            actor=actor,
            team=prompt.team,
            name=name or prompt.name,
            slug=slug or prompt.slug,
            summary=summary or prompt.description[:200],
            document=text,
            filename=f"{prompt.slug}.json",
        )
        upstream = create_ai_upstream(
            actor=actor,
            team=prompt.team,
            name=f"{version.api.slug}-prompt"[:48].rstrip("-"),
            prompt=prompt,
            labels=labels,
            model_routes=model_routes,
        )
        return choose_upstream(version, actor=actor, upstream=upstream)


def describe_anew(version: ApiVersion, *, actor: Actor) -> ApiVersion:
    """Make the document of `version` say what its prompt takes and gives now. Callers get it when it is published."""
    upstream = version.upstream
    if upstream is None or upstream.prompt is None:
        raise ActionRefused(_("This version is not answered by a prompt."), code="no_prompt")
    bindings = upstream.bindings.select_related("environment")
    labels = {binding.environment: binding.prompt_label for binding in bindings}
    text = document_of(_described(upstream.prompt, labels), version.api.name)
    import_spec(version, actor=actor, data=text, filename=f"{upstream.prompt.slug}.json")
    version.refresh_from_db()
    return version


def document_of(version: PromptVersion, name: str) -> bytes:
    """The OpenAPI document of a prompt's version, in JSON."""
    plain = document(
        name=name,
        description=version.prompt.description,
        variables=variables_of(version.variables),
        output_schema=version.output_schema,
        version=str(version.number),
    )
    return json.dumps(plain, ensure_ascii=False).encode()


def _described(prompt: Prompt, labels: Mapping[Environment, str]) -> PromptVersion:
    """The version that the document is of: that of the last environment. All others take and give the same."""
    if not labels:
        raise ActionRefused(_("Choose at least one environment, and the label that answers there."))
    known = {label.name: label.version for label in prompt.labels.select_related("version__prompt")}
    ordered = sorted(labels, key=lambda environment: environment.position)
    missing = next((labels[one] for one in ordered if labels[one] not in known), None)
    if missing is not None:
        text = _("%(prompt)s has no label %(label)s. Give it to a version first.")
        raise ActionRefused(text % {"prompt": prompt, "label": missing}, code="label_missing")
    versions = [known[labels[environment]] for environment in ordered]
    if any(version.interface != versions[-1].interface for version in versions):
        text = _(
            "The versions behind %(labels)s take or give different things, so that no one document describes them. "
            "Give the labels to versions with the same variables and output."
        )
        raise ActionRefused(
            text % {"labels": ", ".join(sorted(set(labels.values())))}, code="interfaces_differ"
        )
    return versions[-1]
