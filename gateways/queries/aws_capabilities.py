"""What API Gateway cannot be given or enforce, and what a publication eats there: said before anything is saved."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apis.models import Environment, PlanRevision, Revision, UpstreamBinding
from aws.client.limits import QUOTAS
from aws.models import AwsAccount
from gateways.drivers.aws.adapt import Able
from gateways.drivers.aws.authorizer.deploy import ROLE_OPTION
from gateways.drivers.aws.definitions import function_of, traps_in
from gateways.drivers.aws.kinds import ApiType, asks_authorizer, type_in
from gateways.drivers.aws.openapi.found import Trap
from gateways.drivers.aws.openapi.settings import MAX_TIMEOUT_MS
from gateways.drivers.aws.plans import FASTEST
from gateways.engine.document import Definition, Route, Target, Upstream
from gateways.models import Gateway
from gateways.policies import aws_settings_of, cors_origins_of
from gateways.queries.aws_held import Fill, fills_of, needs_of, stages_of
from teams.models import Team

MOST_TRAPS_TOLD = 12

BEST_EFFORT = _(
    "Rates are kept by usage plans, which AWS calls best effort: more calls than the rate can get through, so they are"
    " no control of cost or abuse."
)
BLOCKED = _("A used-up quota switches the keys off: its calls are answered 403 here, not 429.")
AUTHORIZER_COUNTS = _(
    "Rates are best effort: the portal's own Lambda authorizer checks keys, and each running copy of it counts for"
    " itself. Who is too fast is answered 403, not 429, and so is whose quota is used up."
)
CONNECTIONS_COUNT = _(
    "Keys and rates count when somebody connects, by best effort. Messages are not counted, and connections that are"
    " open outlast a revoked key, for two hours at most."
)
NO_KEYS = _("Keys and plans do not count: another authorizer, or nobody, decides on calls of this API.")
UNCOUNTED = _(
    "Calls of HTTP and WebSocket APIs are not counted yet: they stand on no chart, and quotas are not kept."
)
SPREADING = _(
    "AWS takes its time to spread the word: a new key may be refused, and a revoked one accepted, for some minutes"
    " after AWS has confirmed the change."
)


def closed_to(account: AwsAccount | None, team: Team) -> Any:
    """Why `team` can publish nothing in an account now, or an empty text. Needs its teams loaded."""
    if account is None:
        return ""
    if account.state != AwsAccount.State.CONNECTED:
        return _("The AWS account of this gateway is not connected now. Ask an administrator to prove it.")
    if not account.is_for_all and team not in account.teams.all():
        return _("Your team may not use the AWS account of this gateway. Ask an administrator to add it.")
    return ""


def refusals_at_aws(
    gateway: Gateway, environment: Environment, binding: UpstreamBinding, revision: Revision
) -> Iterator[Any]:
    """Why `revision` cannot be published there, one text each."""
    if binding.upstream.is_ai:
        yield _("AI runtimes answer this API, and API Gateway cannot reach them. Choose another gateway.")
        return
    traps = [trap for trap in traps_of(environment, binding, revision) if trap.blocks]
    if traps:
        yield _cannot_import(traps)
    if type_of_revision(revision) is ApiType.REST:
        yield from _full(gateway, environment, revision)
    elif lacking := _lacking_for_authorizer(gateway, revision):
        words = _(
            "Keys of this type of API are checked by the portal's own Lambda authorizer, which it may not make in this"
            " account: switch on “%(feature)s” there, or choose the type REST."
        )
        yield words % {"feature": lacking}


def type_of_revision(revision: Revision) -> ApiType:
    """What `revision` asks to be at AWS; a type that there is not is told among the traps."""
    try:
        return type_in(aws_settings_of(revision.policies))
    except ValueError:
        return ApiType.REST


def _lacking_for_authorizer(gateway: Gateway, revision: Revision) -> str:
    account, options = gateway.aws_account, gateway.options if isinstance(gateway.options, dict) else {}
    if account is None or not asks_authorizer(aws_settings_of(revision.policies)):
        return ""
    return Able(frozenset(account.features), bool(options.get(ROLE_OPTION))).lacks_for_authorizer()


def _cannot_import(traps: list[Trap]) -> str:
    told = "\n".join(f"– {trap}" for trap in traps[:MOST_TRAPS_TOLD])
    left = len(traps) - MOST_TRAPS_TOLD
    more = ngettext("and %(n)s more", "and %(n)s more", left) % {"n": left} if left > 0 else ""
    head = ngettext(
        "API Gateway cannot import this document. Change it at this place, then publish:",
        "API Gateway cannot import this document. Change it at these places, then publish:",
        len(traps),
    )
    return "\n".join(filter(None, (head, told, more)))


def _full(gateway: Gateway, environment: Environment, revision: Revision) -> Iterator[Any]:
    version = revision.api_version
    needs = needs_of(gateway, version, environment)
    for name, fill in fills_of(gateway).items():
        wanted = fill.with_all(needs[name])
        is_new = not needs[name] <= fill.held | fill.decided
        if wanted > fill.limit and is_new:
            yield _quota_full(gateway, fill, wanted)
    stages, most = stages_of(gateway, version, environment), QUOTAS["stages"].number
    if stages > most:
        yield _(
            "An API has at most %(most)s stages at AWS, one for each environment. Unpublish it in another."
        ) % {"most": most}


def _quota_full(gateway: Gateway, fill: Fill, wanted: int) -> str:
    words = {
        "things": fill.label,
        "region": gateway.aws_region,
        "limit": f"{fill.limit:,}",
        "wanted": f"{wanted:,}",
        "name": fill.quota.name,
    }
    full = _(
        "AWS allows %(limit)s %(things)s in %(region)s. With this publication there would be %(wanted)s."
    )
    if fill.quota.can_be_raised:
        cure = _(
            "Unpublish something there. If AWS has raised the quota, an administrator says so by the gateway's"
            " option “%(name)s”."
        )
    else:
        cure = _("AWS never raises this one. Unpublish something there, or use another Region or account.")
    counted = _("Others' things are counted when the account is proved; prove it again if some are gone.")
    parts = [full, cure, *([counted] if fill.others else [])]
    return " ".join(str(part) % words for part in parts)


def traps_of(environment: Environment, binding: UpstreamBinding, revision: Revision) -> tuple[Trap, ...]:
    """Each place in the document that API Gateway would refuse, or else takes otherwise than it is written."""
    definition = Definition(
        id=revision.public_id,
        label=str(revision.api_version),
        document_digest=revision.spec.digest,
        settings=aws_settings_of(revision.policies),
        document=json.loads(revision.spec.text),
    )
    route = Route(
        id="", label=definition.label, environment=environment.slug, base_path="/", upstream=binding.public_id,
        api_version="", revision="", cors_origins=cors_origins_of(revision.policies), definition=definition.id,
    )  # fmt: skip
    return traps_in(definition, _upstream(binding), route)


def _upstream(binding: UpstreamBinding) -> Upstream:
    targets = tuple(Target(str(one["url"])) for one in binding.targets)
    return Upstream(binding.public_id, "", targets, timeout_ms=binding.timeout_ms)


# ---- what cannot be enforced, and what it eats ----


def shortfalls_at_aws(gateway: Gateway, binding: UpstreamBinding, revision: Revision) -> Iterator[Any]:
    """What API Gateway cannot keep or do for `revision`."""
    yield from _of_keys(revision)
    yield from _of_upstream(gateway, binding)
    fastest = PlanRevision.objects.filter(plan__api=revision.api_version.api, rate_period_s=1)
    if fastest.filter(rate_calls__gt=FASTEST).exists():
        words = _("An account of AWS takes %(most)s calls a second: plans above that are held back here.")
        yield words % {"most": f"{FASTEST:,}"}


def _of_keys(revision: Revision) -> Iterator[Any]:
    kind = type_of_revision(revision)
    if kind is ApiType.REST:
        yield from (BEST_EFFORT, BLOCKED, SPREADING)
        return
    counts = AUTHORIZER_COUNTS if kind is ApiType.HTTP else CONNECTIONS_COUNT
    yield counts if asks_authorizer(aws_settings_of(revision.policies)) else NO_KEYS
    yield UNCOUNTED


def _of_upstream(gateway: Gateway, binding: UpstreamBinding) -> Iterator[Any]:
    if len(binding.targets) > 1:
        yield _("API Gateway calls one address: %(url)s gets all calls, the other targets none.") % {
            "url": binding.targets[0]["url"]
        }
    if binding.timeout_ms > MAX_TIMEOUT_MS:
        yield _("API Gateway waits at most %(most)s s for an answer, not %(wanted)s s.") % {
            "most": MAX_TIMEOUT_MS // 1_000,
            "wanted": binding.timeout_ms // 1_000,
        }
    url = binding.targets[0]["url"]
    is_simulated = gateway.aws_account is not None and gateway.aws_account.is_simulated
    if function_of(_upstream(binding)) is None and not is_simulated and _is_private(url):
        yield _("AWS calls %(url)s from the internet, where this address leads nowhere: calls will fail.") % {
            "url": url
        }


def _is_private(url: str) -> bool:
    """Whether an address is written as one that only a network of its own knows. Names are not resolved."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host


def taken_at_aws(gateway: Gateway, environment: Environment, revision: Revision) -> Iterator[Any]:
    """What a publication of `revision` takes of the account's quotas."""
    if type_of_revision(revision) is not ApiType.REST:
        yield _("It takes no REST API, usage plan or API key of the account: its keys are the authorizer's.")
        return
    needs = needs_of(gateway, revision.api_version, environment)
    parts = [
        _("%(n)s of %(limit)s %(things)s")
        % {
            "n": f"{fill.with_all(needs[name]):,}",
            "limit": f"{fill.limit:,}",
            "things": fill.label,
        }
        for name, fill in fills_of(gateway).items()
    ]
    yield _("With it the account holds in %(region)s: %(parts)s.") % {
        "region": gateway.aws_region,
        "parts": ", ".join(parts),
    }
    yield _("Each plan takes a usage plan of the account for each publication, as soon as somebody has it.")


def plan_costs(gateway: Gateway) -> Any:
    """What plans cost at AWS, for whoever makes one or decides on a request."""
    fill = fills_of(gateway)["usage_plans"]
    return _("Takes one usage plan of the account for each publication: %(used)s of %(limit)s are used.") % {
        "used": f"{fill.used:,}",
        "limit": f"{fill.limit:,}",
    }
