"""Does what is stored still prove what it claims? The checks of `manage.py verify`, each with its own exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Exists, ForeignKey, Model, OneToOneField, OuterRef

from ai.models import ProviderKey
from ai.queries import broken_provider_keys
from audit.queries import trail_is_insert_only, verify_chain
from aws.function_queries import broken_environments
from aws.models import AwsAccount, LambdaFunction
from aws.queries import broken_external_ids
from gateways.actions import Difference, difference_of
from gateways.models import AppliedObject, Gateway
from gateways.queries import broken_tokens
from subscriptions.models import Credential
from subscriptions.queries import broken_keys

OURS = ("audit", "teams", "aws", "ai", "apis", "subscriptions", "gateways", "usage")
MOST_NAMED = 20
"""Rows named per finding; the rest is a number."""

AUDIT, SECRETS, ROWS, DIFFERS, UNREACHABLE = 1, 2, 4, 8, 16
"""Exit codes; several findings add up."""


@dataclass(slots=True)
class Result:
    """One check. `code` is what it adds to the exit code when there are findings; `facts` are worth keeping."""

    name: str
    code: int
    looked_at: int = 0
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def verify(*, anchor: str = "", gateways: bool = True) -> Iterator[Result]:
    """Every check, one after the other; nothing is changed. `gateways` reads what each gateway really holds."""
    yield _chain(anchor)
    yield Result("audit rights", AUDIT, 2, list(trail_is_insert_only()))
    yield _sealed()
    yield _peppers()
    yield _orphans()
    if gateways:
        yield from _gateways()


def exit_code(results: list[Result]) -> int:
    """The codes of all checks with findings, added up."""
    code = 0
    for result in results:
        code |= result.code if result.findings else 0
    return code


def _chain(anchor: str) -> Result:
    report = verify_chain(anchor=anchor)
    facts = {"unsealed": report.unsealed, "head": report.head}
    return Result("audit chain", AUDIT, report.checked, report.findings, facts=facts)


def _sealed() -> Result:
    vendors = ProviderKey.objects.exclude(sealed=b"").count()
    entries = AwsAccount.objects.exclude(external_id_sealed=b"").count()
    environments = LambdaFunction.objects.exclude(environment_sealed=b"").count()
    looked_at = (
        Credential.objects.count() + Gateway.objects.active().count() + vendors + entries + environments
    )
    findings = [
        *broken_keys(),
        *broken_tokens(),
        *broken_provider_keys(),
        *broken_external_ids(),
        *broken_environments(),
    ]
    return Result("sealed secrets", SECRETS, looked_at, findings)


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]


def _peppers() -> Result:
    """Digests of keys and tokens under a master key that is not configured: they match nobody any more."""
    result = Result("digests", SECRETS)
    for model in _models():
        for name in ("digest_key", "token_digest_key"):
            if name not in {one.name for one in model._meta.get_fields()}:
                continue
            rows = model._base_manager.exclude(**{name: 0})
            result.looked_at += rows.count()
            lost = rows.exclude(**{f"{name}__in": list(settings.MASTER_KEYS)})
            for number in sorted(set(lost.values_list(name, flat=True))):
                count = lost.filter(**{name: number}).count()
                result.findings.append(
                    f"{model._meta.label}: {count} rows need master key {number}, which is not configured"
                )
    return result


def _orphans() -> Result:
    """Rows that point at rows which are not there: a restore that was cut off, or ran without its constraints."""
    result = Result("foreign keys", ROWS)
    for model in _models():
        for key in model._meta.concrete_fields:
            if not isinstance(key, ForeignKey | OneToOneField):
                continue
            result.looked_at += 1
            target: Any = key.related_model
            there = target._base_manager.filter(**{key.target_field.attname: OuterRef(key.attname)})
            pointing = model._base_manager.exclude(**{f"{key.attname}__isnull": True})
            lost = list(pointing.filter(~Exists(there)).order_by("pk").values_list("pk", flat=True))
            if lost:
                rows = ", ".join(map(str, lost[:MOST_NAMED]))
                result.findings.append(
                    f"{model._meta.label}.{key.name}: {len(lost)} rows point at nothing (row {rows})"
                )
    return result


def _gateways() -> Iterator[Result]:
    """Desired state against every gateway as it is now. What is known to be held back is a note, no finding."""
    differing = Result("desired against gateways", DIFFERS)
    silent = Result("gateways reached", UNREACHABLE)
    for gateway in Gateway.objects.active().order_by("slug"):
        silent.looked_at += 1
        difference = difference_of(gateway)
        if difference.error:
            silent.findings.append(f"{gateway.slug}: {difference.error}")
            continue
        differing.looked_at += 1
        if gateway.held_since is not None:
            differing.notes.append(f"{gateway.slug} is held: {gateway.held_reason}")
        for name, words in _in_words(difference):
            held = _held_back(gateway).get(name)
            (differing.notes if held else differing.findings).append(
                f"{gateway.slug}: {words}" + (f" (held back: {held})" if held else "")
            )
    yield differing
    yield silent


def _in_words(difference: Difference) -> Iterator[tuple[tuple[str, str], str]]:
    """Each object that differs, by kind and id, with a sentence."""
    sayings: tuple[tuple[Any, str], ...] = (
        (difference.brings, "is decided and not on the gateway"),
        (difference.takes, "is on the gateway and not decided"),
    )
    for lines, saying in sayings:
        for line in lines:
            of = f" of {line.of}" if line.of else ""
            yield (line.kind, line.id), f"{line.name}{of} {saying}"
    verbs: dict[str, Callable[[str], str]] = {
        "create": lambda label: f"{label} is decided and not on the gateway",
        "update": lambda label: f"{label} is not on the gateway as decided",
        "delete": lambda label: f"{label} is on the gateway and not decided",
    }
    for change in difference.others:
        label = f"{change['kind']} {change['label']}"
        yield (change["kind"], change["id"]), verbs[change["verb"]](label)


def _held_back(gateway: Gateway) -> dict[tuple[str, str], str]:
    rows = AppliedObject.objects.filter(gateway=gateway).exclude(held_back_reason="")
    return {
        (kind, name): why for kind, name, why in rows.values_list("kind", "object_id", "held_back_reason")
    }
