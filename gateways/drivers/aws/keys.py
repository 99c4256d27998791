"""API keys: taken in by batches, switched off at once, deleted later.

A key that is switched off is refused as soon as AWS has spread the word; to delete it takes a call of a kind that is
rationed. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import batched

from aws.client.errors import Conflict, Missing, NotYet
from gateways.drivers.aws import plans
from gateways.drivers.aws.work import KEYS, Work
from gateways.engine.document import Block, Document, Grant, Key, Kind, Ref

BATCH = 200
HEADER = ("Name", "Key", "Description", "Enabled", "UsagePlanIds")


def blocked(document: Document) -> frozenset[str]:
    """The subscriptions whose quota is used up."""
    return frozenset(block.grant for block in document.of_kind(Block))


def plan_ids(work: Work, key: Key) -> list[str]:
    """The usage plans that `key` belongs in; fewer than it needs while some are not there."""
    return sorted(filter(None, (plans.plan_id(work, tier) for tier in _tiers(work, key))))


def _tiers(work: Work, key: Key) -> list[plans.Tier]:
    grant = work.desired.items.get(Ref(Kind.GRANT, key.grant))
    return plans.tiers_of(work.desired, grant) if isinstance(grant, Grant) else []


def is_of_plans(work: Work, key: Key) -> bool:
    """Whether AWS is given `key`: one that is for HTTP and WebSocket APIs alone is known to the authorizer."""
    return bool(_tiers(work, key))


def to_stop(work: Work) -> list[str]:
    """Keys that are switched on, or may be, and should not be."""
    stopped = blocked(work.desired)
    found = []
    for name, known in work.holdings.resources(KEYS).items():
        key = work.desired.items.get(Ref(Kind.KEY, name))
        is_there = isinstance(key, Key) and is_of_plans(work, key)
        is_wanted = is_there and isinstance(key, Key) and key.grant not in stopped
        may_be_on = known["enabled"] is not False if known.get("id") else not is_there
        if may_be_on and not is_wanted:
            found.append(name)
    return found


def stop(work: Work, name: str) -> None:
    """Switch a key off. Raises AwsError; NotYet for one of which AWS has not said whether it took it in."""
    known = work.resource(KEYS, name)
    if not known.get("id"):
        found = work.found_by_now(known["asked_at"], partial(_named, work, work.names.key_of(name)))
        if not found:
            work.holdings.drop(KEYS, [name])
            return
        work.keep(KEYS, name, {"id": found, "plans": known["plans"], "enabled": True})
    _switch(work, name, on=False)


def _named(work: Work, name: str) -> str:
    found = work.calls.pages("apigateway", "GetApiKeys", "items", nameQuery=name, includeValues=False)
    return next((str(one["id"]) for one in found if one.get("name") == name), "")


def to_start(work: Work) -> list[str]:
    """Keys that are switched off and should not be."""
    stopped = blocked(work.desired)
    return [
        key.id
        for key in work.desired.of_kind(Key)
        if (known := work.resource(KEYS, key.id)).get("id")
        and known["enabled"] is not True
        and key.grant not in stopped
        and is_of_plans(work, key)
    ]


def start(work: Work, name: str) -> None:
    """Switch a key on again. Raises AwsError."""
    _switch(work, name, on=True)


def _switch(work: Work, name: str, *, on: bool) -> None:
    known = work.resource(KEYS, name)
    work.keep(KEYS, name, {**known, "enabled": None})  # until AWS has answered, nobody knows
    patch = [{"op": "replace", "path": "/enabled", "value": "true" if on else "false"}]
    try:
        work.call("UpdateApiKey", apiKey=known["id"], patchOperations=patch)
    except Missing:
        if on:
            work.past(KEYS, name, known["id"])  # it is taken in anew
            return
    work.keep(KEYS, name, {**known, "enabled": on})


def to_take_in(work: Work) -> list[Key]:
    """Keys that AWS does not hold yet and whose usage plans are all there."""
    return [
        key
        for key in work.desired.of_kind(Key)
        if not work.resource(KEYS, key.id).get("id") and _is_ready(work, key)
    ]


def _is_ready(work: Work, key: Key) -> bool:
    tiers = _tiers(work, key)
    return bool(tiers) and len(plan_ids(work, key)) == len(tiers)


def batches(keys: Iterable[Key]) -> list[tuple[Key, ...]]:
    """As they are taken in."""
    return list(batched(keys, BATCH))


def take_in(work: Work, keys: Sequence[Key]) -> None:
    """Import `keys`. The same key again overwrites what is there, so that this may be repeated. Raises AwsError."""
    stopped = blocked(work.desired)
    # Before the call: a key whose answer is lost, and which is revoked meanwhile, must be found and switched off.
    asked = {key.id: {"asked_at": work.clock(), "plans": plan_ids(work, key)} for key in keys}
    rows = [_row(work, key, enabled=key.grant not in stopped) for key in keys]
    with work.in_doubt(KEYS, asked):
        answer = work.call("ImportApiKeys", format="csv", failOnWarnings=False, body=_csv(rows))
    ids = _ids(work, keys, answer["ids"])
    work.holdings.keep(
        KEYS,
        {
            key.id: {"id": ids[key.id], "plans": plan_ids(work, key), "enabled": key.grant not in stopped}
            for key in keys
            if key.id in ids
        },
    )


def _row(work: Work, key: Key, *, enabled: bool) -> tuple[str, ...]:
    about = f"{work.names.prefix}: {key.grant}"
    return (work.names.key(key), key.value, about, str(enabled).lower(), ",".join(plan_ids(work, key)))


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return text.getvalue().encode()


def _ids(work: Work, keys: Sequence[Key], told: Sequence[str]) -> Mapping[str, str]:
    """By the ids of our keys. AWS does not say in which order it tells its own."""
    if len(keys) == len(told) == 1:
        return {keys[0].id: told[0]}
    names = {work.names.key(key): key.id for key in keys}
    begin = f"{work.names.prefix}-"
    found = work.calls.pages("apigateway", "GetApiKeys", "items", nameQuery=begin, includeValues=False)
    return {names[one["name"]]: str(one["id"]) for one in found if one.get("name") in names}


def to_move(work: Work) -> list[Key]:
    """Keys that are in other usage plans than they belong in."""
    return [
        key
        for key in work.desired.of_kind(Key)
        if (known := work.resource(KEYS, key.id)).get("id")
        and _is_ready(work, key)
        and (known.get("unsure") or sorted(known["plans"]) != plan_ids(work, key))
    ]


def move(work: Work, key: Key) -> None:
    """Out of old usage plans and into new ones: of one stage a key can be in one alone. Raises AwsError."""
    wanted, held = set(plan_ids(work, key)), set(work.resource(KEYS, key.id)["plans"])
    at_aws = str(work.resource(KEYS, key.id)["id"])
    # Until it is done, nobody knows in which of them it is.
    _note_plans(work, key, held - wanted, unsure=True)
    for plan in sorted(held - wanted):
        with suppress(Missing):
            work.call("DeleteUsagePlanKey", usagePlanId=plan, keyId=at_aws)
    for plan in sorted(wanted):
        _put_in(work, plan, at_aws)
    _note_plans(work, key, wanted, unsure=False)


def _note_plans(work: Work, key: Key, plans_of_key: Iterable[str], *, unsure: bool) -> None:
    known = work.resource(KEYS, key.id)
    held = {*known["plans"], *plans_of_key} if unsure else set(plans_of_key)
    work.keep(KEYS, key.id, {**known, "plans": sorted(held), "unsure": unsure})


def _put_in(work: Work, plan: str, key: str) -> None:
    try:
        work.call("CreateUsagePlanKey", usagePlanId=plan, keyId=key, keyType="API_KEY")
    except Conflict:  # it is in there already, or in another plan of the same stage
        try:
            work.call("GetUsagePlanKey", usagePlanId=plan, keyId=key)
        except Missing:
            raise NotYet("A key is still in another usage plan of this stage.") from None


def to_delete(work: Work) -> list[str]:
    """Keys that are switched off for good."""
    return [
        name
        for name, known in work.holdings.resources(KEYS).items()
        if known.get("enabled") is False and not _is_wanted(work, name)
    ]


def _is_wanted(work: Work, name: str) -> bool:
    key = work.desired.items.get(Ref(Kind.KEY, name))
    return isinstance(key, Key) and is_of_plans(work, key)


def delete(work: Work, name: str) -> None:
    """Five a second at most: it can wait, the key is refused already. Raises AwsError."""
    known = work.resource(KEYS, name)
    with suppress(Missing):
        work.call("DeleteApiKey", apiKey=known["id"])
    work.past(KEYS, name, known["id"])
