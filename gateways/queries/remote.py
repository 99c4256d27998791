"""What things at AWS stand for: those that are there, and those that were until lately."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KT

from gateways.drivers.aws.kinds import ApiType, parted
from gateways.drivers.aws.logs import LOG, OF_GATEWAY
from gateways.drivers.aws.work import KEYS, PAST, PLANS, STAGES
from gateways.models import Gateway, RemoteObject


@dataclass(frozen=True, slots=True)
class StageAt:
    """A stage that is there: its publication, its place at AWS, under which name CloudWatch counts it, and since when
    its calls are logged one by one."""

    publication: str
    api: str
    stage: str
    name: str
    logged_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanAt:
    """A usage plan that is there, and the publication that it opens."""

    id: str
    publication: str


@dataclass(frozen=True, slots=True)
class LogAt:
    """The log of a gateway's calls. `why` it is not written, empty where it is."""

    group: str
    why: str


def keys_by_id(gateway: Gateway, ids: Iterable[str]) -> dict[str, str]:
    """Public ids of Credentials by the ids that AWS gave their keys, of those that are this gateway's."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    names = [f"{KEYS}/{one}" for one in wanted]
    past = _of(gateway, PAST).filter(name__in=_together(names))
    found = {
        name.removeprefix(f"{KEYS}/"): value["name"] for name, value in past.values_list("name", "value")
    }
    there = _of(gateway, KEYS).annotate(at_aws=KT("value__id")).filter(at_aws__in=_together(wanted))
    return found | {str(value["id"]): name for name, value in there.values_list("name", "value")}


def publications_by_stage(gateway: Gateway) -> dict[tuple[str, str], str]:
    """Public ids of Publications by API and stage at AWS."""
    past = _of(gateway, PAST).filter(name__startswith=f"{STAGES}/").values_list("name", "value")
    found = {_stage(name.removeprefix(f"{STAGES}/")): parted(str(value["name"]))[0] for name, value in past}
    return found | {(one.api, one.stage): one.publication for one in stages_of(gateway)}


def stages_of(gateway: Gateway) -> list[StageAt]:
    """The stages of REST APIs that are there, by publication: those of other types are not logged yet, and counted
    under other names."""
    rows = _of(gateway, STAGES).order_by("name").values_list("name", "value")
    rest = ((name, value) for name, value in rows if parted(name)[1] is ApiType.REST)
    return [_stage_at(name, value) for name, value in rest if value.get("stage")]


def plans_of(gateway: Gateway) -> list[PlanAt]:
    """The usage plans that are there, in an order of their own."""
    rows = _of(gateway, PLANS).order_by("name").values_list("name", "value")
    return [PlanAt(str(value["id"]), name.partition("/")[2]) for name, value in rows if value.get("id")]


def log_of(gateway: Gateway) -> LogAt | None:
    """What is known of the log of a gateway's calls; None before anybody has looked."""
    row = _of(gateway, LOG).filter(name=OF_GATEWAY).first()
    return LogAt(str(row.value["group"]), str(row.value["why"])) if row else None


def _of(gateway: Gateway, sort: str) -> Any:
    return RemoteObject.objects.filter(gateway=gateway, sort=sort).order_by()


def _together(values: list[str]) -> RawSQL:
    return RawSQL("SELECT unnest(%s::text[])", [values])


def _stage(text: str) -> tuple[str, str]:
    api, _, stage = text.partition(":")
    return api, stage


def _stage_at(publication: str, value: dict[str, Any]) -> StageAt:
    since = value.get("logged_at")
    return StageAt(
        publication=publication,
        api=str(value["api"]),
        stage=str(value["stage"]),
        name=str(value.get("name", "")),
        logged_at=None if since is None else datetime.fromtimestamp(since, UTC),
    )
