"""Reading back: what AWS itself says of the things that a push touched."""

from __future__ import annotations

from collections.abc import Mapping

from aws.client.errors import AwsError, Missing
from gateways.drivers.aws import publishing
from gateways.drivers.aws.authorizer import deploy, table
from gateways.drivers.aws.kinds import ApiType, named
from gateways.drivers.aws.work import KEYS, STAGES, Work
from gateways.engine.changes import Change, ChangeSet, Delete
from gateways.engine.document import Block, Item, Key, Ref, Route
from gateways.engine.driver import DriverError, Verdict

NOT_SHOWN = "AWS does not show this change yet."
ONE_BY_ONE = 20
"""Of more keys than this the lists are read, which come by five hundred."""


def confirmed(work: Work, changes: ChangeSet, now: Mapping[Ref, Item]) -> Verdict:
    """Which of `changes` are in force, `now` being what should be.

    What cannot be read now is not confirmed, and is read when the push goes on. Raises DriverError when AWS refuses to
    be asked.
    """
    proof = _Proof(work, changes)
    unconfirmed = {}
    is_put_off = False
    for change in changes:
        try:
            if not is_put_off and _is_done(change, now) and proof.shows(change):
                continue
        except AwsError as error:
            if error.is_permanent:
                raise DriverError(error.message, permanent=True) from error
            work.put_off(f"read back {change.ref}", error)
            is_put_off = True
        unconfirmed[change.ref] = NOT_SHOWN
    return Verdict(changes.refs() - unconfirmed.keys(), unconfirmed, {"aws": "serving"}, work.wait())


def _is_done(change: Change, now: Mapping[Ref, Item]) -> bool:
    if isinstance(change, Delete):
        return change.ref not in now
    return now.get(change.ref) == change.item


class _Proof:
    """Reads each thing once, one by one or by lists."""

    def __init__(self, work: Work, changes: ChangeSet) -> None:
        self._work = work
        touched = sum(isinstance(change.item, Key) for change in changes)
        self._by_list = touched > ONE_BY_ONE
        self._listed: dict[str, bool] | None = None
        self._members: dict[str, set[str]] = {}
        self._authorizer: bool | None = None

    def shows(self, change: Change) -> bool:
        """Whether AWS shows what was changed. What is only a part of other things stands and falls with them."""
        match change.item:
            case Key():
                return self._shows_key(change) and self._shows_table()
            case Block():
                return self._shows_table()
            case Route():
                return self._shows_route(change)
            case _:
                return True

    def _shows_table(self) -> bool:
        """Whether the authorizer's code, of which its table of keys is a part, is the one that was sent."""
        if not deploy.is_made(self._work) and not table.known_lines(self._work):
            return True
        if self._authorizer is None:
            self._authorizer = deploy.confirmed(self._work)
        return self._authorizer

    def _shows_key(self, change: Change) -> bool:
        known = self._work.resource(KEYS, change.item.id)
        if isinstance(change, Delete):
            return not known or not self._is_enabled(str(known["id"]))
        if not known:
            return True  # of the authorizer alone
        is_on = self._is_enabled(str(known["id"]))
        return is_on is known["enabled"] and all(
            self._is_in(plan, str(known["id"])) for plan in known["plans"]
        )

    def _is_enabled(self, key: str) -> bool:
        if not self._by_list:
            try:
                return bool(self._work.call("GetApiKey", apiKey=key, includeValue=False)["enabled"])
            except Missing:
                return False
        if self._listed is None:
            found = self._work.calls.pages("apigateway", "GetApiKeys", "items", includeValues=False)
            self._listed = {str(one["id"]): bool(one["enabled"]) for one in found}
        return self._listed.get(key, False)

    def _is_in(self, plan: str, key: str) -> bool:
        if not self._by_list:
            try:
                self._work.call("GetUsagePlanKey", usagePlanId=plan, keyId=key)
            except Missing:
                return False
            return True
        if plan not in self._members:
            found = self._work.calls.pages("apigateway", "GetUsagePlanKeys", "items", usagePlanId=plan)
            self._members[plan] = {str(one["id"]) for one in found}
        return key in self._members[plan]

    def _shows_route(self, change: Change) -> bool:
        if isinstance(change, Delete):
            return not any(self._is_there(named(change.item.id, kind)) for kind in ApiType)
        assert isinstance(change.item, Route)  # noqa: S101 - by the match above
        try:
            return publishing.shows(self._work, publishing.stage_of(self._work.desired, change.item))
        except Missing:
            return False

    def _is_there(self, name: str) -> bool:
        if not self._work.resource(STAGES, name).get("stage"):
            return False
        try:
            publishing.shows(self._work, name)
        except Missing:
            return False
        return True
