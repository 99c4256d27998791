"""What a gateway holds at AWS, and how far that fills the quotas of its account.

What is there is counted from what the driver has written down, what will be there from what is decided, and what
others made in the account from the last look at it. So a quota is said to be full before anything is saved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apis.models import ApiVersion, Environment
from aws.client.limits import QUOTAS, Quota
from aws.models import AccountProof
from aws.queries import FULL, TIGHT
from gateways.drivers.aws.kinds import ApiType, parted
from gateways.drivers.aws.work import APIS, KEYS, PLANS, STAGES
from gateways.models import Gateway, Publication, RemoteObject
from subscriptions.models import Credential, Subscription

HELD_SORTS = (APIS, STAGES, PLANS, KEYS)
COUNTED: Mapping[str, str] = {"regional_apis": APIS, "usage_plans": PLANS, "api_keys": KEYS}
"""The quotas of an account that publications eat, and the sort of thing that is counted."""
WORDS: Mapping[str, Any] = {
    "regional_apis": _("REST APIs"),
    "usage_plans": _("usage plans"),
    "api_keys": _("API keys"),
    STAGES: _("stages"),
}
type Names = Mapping[str, frozenset[str]]
"""Names of things by the quota that they eat."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a quota is. `held` are the names of what is there, `decided` those of what should be; `others` is how
    many the portal did not make, as of `counted_at` (None: nobody has looked)."""

    quota: Quota
    held: frozenset[str]
    decided: frozenset[str]
    others: int
    limit: int
    counted_at: datetime | None

    @property
    def label(self) -> Any:
        return WORDS[self.quota.name]

    @property
    def used(self) -> int:
        """Once all that is decided is there."""
        return self.with_all(())

    @property
    def tone(self) -> str:
        """By how near its end is."""
        share = self.used / self.limit if self.limit else 1.0
        return "fail" if share >= FULL else "hold" if share >= TIGHT else "accent"

    def with_all(self, names: Iterable[str]) -> int:
        """How many there would be with these, too."""
        return len(self.held | self.decided | set(names)) + self.others


def fills_of(gateway: Gateway) -> dict[str, Fill]:
    """Each quota that publications on a gateway at AWS eat, by its name."""
    proof = _last_count(gateway)
    decided = _decided(gateway)
    held: dict[str, dict[str, datetime]] = {sort: {} for sort in COUNTED.values()}
    rows = RemoteObject.objects.filter(gateway=gateway, sort__in=held).order_by()
    for sort, name, at in rows.values_list("sort", "name", "updated_at"):
        if sort != APIS or parted(name)[1] is ApiType.REST:
            held[sort][name] = at
    return {
        name: _fill(gateway, QUOTAS[name], held[sort], decided[name], proof) for name, sort in COUNTED.items()
    }


def _fill(
    gateway: Gateway,
    quota: Quota,
    held: Mapping[str, datetime],
    decided: frozenset[str],
    proof: AccountProof | None,
) -> Fill:
    row = _row(proof, quota, gateway.aws_region)
    counted_at = proof.finished_at if proof is not None and row else None
    # What was touched since may or may not have been counted. It is taken for new: a look anew clears it up.
    ours = sum(1 for at in held.values() if counted_at is not None and at <= counted_at)
    others = max(0, int(row.get("used", 0)) - ours)
    limit = _raised(gateway, quota) or row.get("limit") or quota.number
    return Fill(quota, frozenset(held), decided, others, int(limit), counted_at)


def _row(proof: AccountProof | None, quota: Quota, region: str) -> Mapping[str, Any]:
    rows = proof.quotas if proof is not None else []
    return next((one for one in rows if one["region"] == region and one["name"] == quota.name), {})


def _raised(gateway: Gateway, quota: Quota) -> int:
    """What AWS has raised a quota to, as an administrator has said by an option of the gateway; 0 for nothing."""
    said = str(gateway.options.get(quota.name, "")) if isinstance(gateway.options, dict) else ""
    return int(said) if quota.can_be_raised and said.isascii() and said.isdecimal() else 0


def _last_count(gateway: Gateway) -> AccountProof | None:
    looks = AccountProof.objects.filter(account=gateway.aws_account_id, finished_at__isnull=False)
    return looks.exclude(quotas=[]).first()


_OTHER_TYPES = Q(revision__policies__aws__type__in=[ApiType.HTTP.value, ApiType.WEBSOCKET.value])
"""Publications that eat none of these: their keys are known to the portal's authorizer."""


def _decided(gateway: Gateway) -> Names:
    """What there will be of each once everything is pushed."""
    current = Publication.objects.current().filter(gateway=gateway)
    # NULL is in no list and out of none: most Revisions name no type, and so the others are looked for.
    published = current.exclude(pk__in=current.filter(_OTHER_TYPES).values("pk"))
    subscriptions = _active().filter(
        api_version__publications__in=published.values("pk"),
        api_version__publications__environment=F("environment"),
        api_version__publications__state=Publication.State.PUBLISHED,
    )
    tiers = subscriptions.values_list("plan_revision__public_id", "api_version__publications__public_id")
    return {
        "regional_apis": frozenset(published.values_list("api_version__public_id", flat=True)),
        "usage_plans": frozenset(f"{plan}/{publication}" for plan, publication in tiers.distinct()),
        "api_keys": _keys_of(subscriptions),
    }


def needs_of(gateway: Gateway, version: ApiVersion, environment: Environment) -> Names:
    """What a publication of `version` takes of each, whether it is there already or not."""
    known = Publication.objects.filter(api_version=version, gateway=gateway, environment=environment).first()
    name = known.public_id if known is not None else "new"
    subscriptions = _active().filter(api_version=version, environment=environment)
    plans = subscriptions.values_list("plan_revision__public_id", flat=True).distinct()
    return {
        "regional_apis": frozenset({version.public_id}),
        "usage_plans": frozenset(f"{plan}/{name}" for plan in plans),
        "api_keys": _keys_of(subscriptions),
    }


def _active() -> QuerySet[Subscription]:
    return Subscription.objects.filter(state=Subscription.State.ACTIVE).order_by()


def _keys_of(subscriptions: QuerySet[Subscription]) -> frozenset[str]:
    found = Credential.objects.usable().filter(subscription__in=subscriptions.values("pk")).order_by()
    return frozenset(found.values_list("public_id", flat=True))


def stages_of(gateway: Gateway, version: ApiVersion, environment: Environment) -> int:
    """How many stages the API of `version` would have there with one for `environment`."""
    others = Publication.objects.current().filter(gateway=gateway, api_version=version)
    return others.exclude(environment=environment).count() + 1


@dataclass(frozen=True, slots=True)
class Held:
    """How many of one sort of thing a gateway holds at AWS; `fill` where they eat a quota of the account."""

    label: Any
    count: int
    fill: Fill | None = None


def held_there(gateway: Gateway) -> list[Held]:
    """What a gateway holds at AWS, for its page."""
    fills = fills_of(gateway)
    counts = Counter(RemoteObject.objects.filter(gateway=gateway).order_by().values_list("sort", flat=True))
    counted = {sort: fills[name] for name, sort in COUNTED.items()}
    return [
        Held(counted[sort].label if sort in counted else WORDS[sort], counts[sort], counted.get(sort))
        for sort in HELD_SORTS
    ]
