"""Gateways: registered, changed, retired, by the platform's administrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from apis.models import Environment
from audit.actions import record_event
from audit.models import ActionRefused
from aws.models import AwsAccount, Feature
from gateways.models import Gateway, GatewayListener, GatewayNode, Publication, RemoteObject
from gateways.queries.aws_held import HELD_SORTS
from gateways.tokens import FORM, make_token, put_token
from teams.models import Actor, Verb

MOST_OPTIONS = 20


@dataclass(frozen=True, slots=True)
class ListenerValues:
    """Where one environment is served: `port` on every node, `public_url` is the origin that callers use.

    A gateway at AWS takes the environment alone.
    """

    environment: Environment
    port: int | None = None
    public_url: str = ""
    host: str = ""


@sensitive_variables("token", "value")
@transaction.atomic
def create_gateway(
    *,
    actor: Actor,
    slug: str,
    name: str,
    kind: str,
    listeners: Sequence[ListenerValues] = (),
    options: Mapping[str, str] | None = None,
    token: str = "",
    aws_account: AwsAccount | None = None,
    aws_region: str = "",
) -> tuple[Gateway, str]:
    """A new gateway and the token for its agents, which is shown this once; made unless `token` is given.

    One of kind `aws` is in a Region of a connected account, and has no agents: its token is "".
    Raises PermissionDenied, ValidationError.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    gateway = Gateway(slug=slug, name=name, kind=kind, options=clean_options(options or {}))
    gateway.aws_account, gateway.aws_region = aws_account, aws_region
    if gateway.is_at_aws:
        check_aws_place(aws_account, aws_region)
    value = "" if gateway.is_at_aws else token or make_token()
    if value:
        _check_token(value)
        put_token(gateway, value)
    gateway.full_clean(exclude=["token_sealed", "token_digest"])
    gateway.save()
    _set_listeners(gateway, listeners)
    record_event("gateway.created", gateway, actor=actor, after=_summary(gateway))
    return gateway, value


@transaction.atomic
def change_gateway(
    gateway: Gateway,
    *,
    actor: Actor,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    listeners: Sequence[ListenerValues] | None = None,
    drift_policy: str | None = None,
) -> Gateway:
    """Change what is given; `listeners` replaces them all. Short name, kind and place at AWS stay for good.

    Raises PermissionDenied, ValidationError, and ActionRefused for a listener that something is published on.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
    before = _summary(gateway)
    gateway.name = gateway.name if name is None else name
    gateway.options = gateway.options if options is None else clean_options(options)
    gateway.drift_policy = drift_policy or gateway.drift_policy
    gateway.full_clean(exclude=["token_sealed", "token_digest"])
    gateway.save()
    if listeners is not None:
        _set_listeners(gateway, listeners)
    if _summary(gateway) != before:
        record_event("gateway.changed", gateway, actor=actor, before=before, after=_summary(gateway))
    return gateway


@sensitive_variables("token", "value")
@transaction.atomic
def set_token(gateway: Gateway, *, actor: Actor, token: str = "") -> str:
    """Another token for the agents, which is shown this once. The old one ends at once.

    Raises PermissionDenied, ValidationError, and ActionRefused for a gateway without agents.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
    if gateway.is_at_aws:
        raise ActionRefused(
            _("%(gateway)s has no agents. The portal enters its AWS account as that account says.")
            % {"gateway": gateway},
            code="no_agents",
        )
    value = token or make_token()
    _check_token(value)
    put_token(gateway, value)
    gateway.save()
    record_event("gateway.changed", gateway, actor=actor, after={"token": "replaced"})
    return value


@transaction.atomic
def retire_gateway(gateway: Gateway, *, actor: Actor, note: str = "") -> Gateway:
    """End a gateway that serves nothing any more. Raises PermissionDenied, ActionRefused."""
    actor.require(Verb.GATEWAY_MANAGE)
    gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
    if Publication.objects.current().filter(gateway=gateway).exists():
        raise ActionRefused(
            _("APIs are still published on %(gateway)s. Unpublish them there first.") % {"gateway": gateway},
            code="gateway_in_use",
        )
    if gateway.retired_at is not None:
        raise ActionRefused(_("%(gateway)s is retired already.") % {"gateway": gateway})
    if RemoteObject.objects.filter(gateway=gateway, sort__in=HELD_SORTS).exists():
        raise ActionRefused(
            _(
                "Things on %(gateway)s are still being taken away at AWS. Retire it when it holds nothing there."
            )
            % {"gateway": gateway},
            code="gateway_in_use",
        )
    gateway.retired_at = timezone.now()
    gateway.save()
    record_event("gateway.retired", gateway, actor=actor, before=_summary(gateway), note=note)
    return gateway


@transaction.atomic
def retire_node(node: GatewayNode, *, actor: Actor) -> GatewayNode:
    """Stop waiting for a node that is gone. One that still reports comes back by itself.

    Raises PermissionDenied, and ActionRefused for a node that was heard of lately.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    node = GatewayNode.objects.select_for_update().select_related("gateway").get(pk=node.pk)
    if node.state != GatewayNode.State.AWAY:
        raise ActionRefused(
            _("%(node)s still reports. Stop it, then remove it here.") % {"node": node}, code="node_alive"
        )
    node.retired_at = timezone.now()
    node.save()
    after = {"node": node.name, "retired": True}
    record_event("gateway.changed", node.gateway, actor=actor, after=after)
    return node


def clean_options(options: object) -> dict[str, str]:
    """Options as kept: a flat object of texts. Raises ValidationError."""
    if (
        not isinstance(options, Mapping)
        or len(options) > MOST_OPTIONS
        or not all(map(_is_option, options.items()))
    ):
        raise ValidationError({"options": _('Give names with texts, such as {"listen": "127.0.0.1"}.')})
    return {str(name): str(value) for name, value in options.items()}


def _is_option(pair: tuple[object, object]) -> bool:
    name, value = pair
    return isinstance(name, str) and isinstance(value, str) and len(name) <= 40 and len(value) <= 300


def clean_public_url(url: str) -> str:
    """An origin as callers write it: scheme, host, port unless it is the usual one. Raises ValidationError."""
    wrong = ValidationError(_("Give scheme and host, such as https://api.example.com, without a path."))
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise wrong from None
    plain = not (parts.query or parts.fragment or parts.username or parts.password or parts.path.strip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise wrong
    if not parts.hostname.isascii() or any(char.isspace() or char in "\"'<>;,\\" for char in parts.hostname):
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def _set_listeners(gateway: Gateway, wanted: Sequence[ListenerValues]) -> None:
    """Make the listeners those of `wanted`, one per environment."""
    kept = [values.environment.pk for values in wanted]
    gone = gateway.listeners.exclude(environment__in=kept)
    in_use = Publication.objects.current().filter(gateway=gateway, environment__in=gone.values("environment"))
    if in_use.exists():
        raise ActionRefused(
            _("APIs are still published there in %(environment)s. Unpublish them first.")
            % {"environment": in_use[0].environment},
            code="listener_in_use",
        )
    before = {row.environment_id: row for row in gateway.listeners.all()}
    for values in wanted:
        _require_same_host(gateway, before.get(values.environment.pk), values)
    # All go and come back under their ids: row by row, two that exchange their ports would collide.
    gateway.listeners.all().delete()
    for values in wanted:
        listener = GatewayListener(gateway=gateway, environment=values.environment)
        if values.environment.pk in before:
            listener.public_id = before[values.environment.pk].public_id
        _set_listener(listener, values)


def _require_same_host(gateway: Gateway, listener: GatewayListener | None, values: ListenerValues) -> None:
    """Raise ActionRefused where APIs are published under a host: their paths are claimed under it for good."""
    if listener is None or listener.host == values.host.strip().lower():
        return
    there = Publication.objects.current().filter(gateway=gateway, environment=values.environment)
    if there.exists():
        raise ActionRefused(
            _("APIs are published there in %(environment)s under another host. Unpublish them first.")
            % {"environment": values.environment},
            code="listener_in_use",
        )


def _set_listener(listener: GatewayListener, values: ListenerValues) -> None:
    listener.port, listener.host = values.port, values.host.strip().lower()
    if listener.gateway.is_at_aws:
        _require_bare(values)
    else:
        if not 1 <= (values.port or 0) <= 65_535:
            raise ValidationError({"port": _("A port lies between 1 and 65535.")})
        listener.public_url = clean_public_url(values.public_url)
    listener.full_clean()
    listener.save()


def _require_bare(values: ListenerValues) -> None:
    if values.port is not None or values.public_url or values.host:
        raise ValidationError(
            {
                "listeners": _(
                    "API Gateway gives each publication an address of its own. Name the environment alone."
                )
            }
        )


def check_aws_place(account: AwsAccount | None, region: str) -> None:
    """Raises ValidationError where no gateway can be made.

    Locks the account's row: two that are made at once in one Region wait for each other here.
    """
    if account is None:
        raise ValidationError({"aws_account": _("Choose the AWS account that the gateway is in.")})
    account = AwsAccount.objects.select_for_update().get(pk=account.pk)
    words = {"account": account, "region": region, "regions": ", ".join(account.regions)}
    if account.state != AwsAccount.State.CONNECTED:
        words["state"] = str(AwsAccount.State(account.state).label).lower()
        unready = _(
            "%(account)s is not connected (%(state)s). Prove it first, then register a gateway in it."
        )
        raise ValidationError({"aws_account": unready % words})
    if Feature.REST not in account.features:
        off = _("REST APIs are not switched on for %(account)s. Switch them on there, and prove it again.")
        raise ValidationError({"aws_account": off % words})
    if region not in account.regions:
        unknown = _("%(account)s is not used in “%(region)s”. Choose one of its Regions: %(regions)s.")
        raise ValidationError({"aws_region": unknown % words})
    there = Gateway.objects.active().filter(aws_account=account, aws_region=region).first()
    if there is not None:
        taken = _("%(gateway)s is API Gateway in %(region)s of %(account)s already. Publish on that one.")
        raise ValidationError({"aws_region": taken % {**words, "gateway": there}})


def _check_token(value: str) -> None:
    if not FORM.fullmatch(value):
        raise ValidationError({"token": _("A token has 32 to 200 characters, letters and digits at best.")})


def _summary(gateway: Gateway) -> dict[str, Any]:
    listeners = gateway.listeners.select_related("environment").order_by("environment__slug")
    return {
        "name": gateway.name,
        "kind": gateway.kind,
        "options": sorted(gateway.options),
        "drift_policy": gateway.drift_policy,
        **(
            {"aws_account": gateway.aws_account.slug, "aws_region": gateway.aws_region}
            if gateway.aws_account
            else {}
        ),
        "listeners": [
            {"environment": row.environment.slug, "port": row.port, "host": row.host, "url": row.public_url}
            for row in listeners
        ],
    }
