"""One push to AWS under way: what it works with, and what has to wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aws.client.calls import Calls
from aws.client.errors import AwsError, Lost, MustWait, NotYet, Throttled
from aws.client.limits import limits_of
from gateways.drivers.aws.names import Names
from gateways.engine.document import Document, Ref
from gateways.engine.driver import DriverError, Progress, Wait
from gateways.engine.holdings import Holdings, Resource

AGAIN_S = 5.0
"""When to come back where AWS does not say."""
LEAST_S = 2.0
"""Not sooner: each run looks before it does something, and looks alone would eat what a limit lets through."""
SURE_S = 150.0
"""After so long AWS's lists show what was made: ten times twelve seconds are what its own tests allow, at most."""
LOOK_AGAIN_S = 10.0

APIS, STAGES, PLANS, KEYS, PERMISSIONS = "api", "stage", "usage_plan", "api_key", "permission"
AUTHORIZER, AUTHORIZED = "authorizer", "authorized"
"""The sorts of resources."""
PAST = "past"
"""What is no more at AWS, by its id there: logs that are read late still name it."""
PAST_S = 45 * 86_400.0
"""As long as it can be named: logs are kept for thirty days, calls counted for forty."""


_REGIONAL = {"endpointConfiguration": {"types": ["REGIONAL"]}}
"""The one type of API that is made here: the others eat other limits."""


def limit_behind(error: AwsError) -> str:
    """The limit of AWS that a call waits on, as AWS publishes it; empty for another reason to wait."""
    if not isinstance(error, MustWait | Throttled):
        return ""
    return next(map(str, limits_of(error.service, error.operation, _REGIONAL)), "")


@dataclass(slots=True)
class Work:
    """A push. `waits` are the reasons why not all of it is done yet, `options` those of the gateway."""

    calls: Calls
    holdings: Holdings
    names: Names
    desired: Document
    progress: Progress
    clock: Callable[[], float] = time.time
    waits: list[Wait] = field(default_factory=list)
    options: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    """Where calls are logged; empty where they are not."""
    partition: str = "aws"

    def call(self, operation: str, service: str = "apigateway", **params: Any) -> dict[str, Any]:
        """One call; the page of the push names it. Raises AwsError."""
        return self.calls.call(service, operation, **params)

    def attempt(self, about: Ref | None, what: str, step: Callable[[], None]) -> bool:
        """Carry out one part. What AWS lets wait is noted, and the other parts go on.

        False when it waits. Raises DriverError where AWS refuses it for good, in its words.
        """
        self.progress("apply", what)
        try:
            step()
        except AwsError as error:
            if error.is_permanent:
                offenders = (about,) if about else ()
                raise DriverError(error.message, permanent=True, offenders=offenders) from error
            self.put_off(what, error)
            return False
        return True

    def put_off(self, what: str, error: AwsError) -> None:
        """Note that `what` waits, by an error that passes."""
        seconds = max(error.retry_in_s or AGAIN_S, LEAST_S)
        why = f"{error.message} It is looked for first." if isinstance(error, Lost) else error.message
        self.waits.append(Wait(seconds, f"{what}: {why}", limit_behind(error)))

    def wait(self) -> Wait | None:
        """When to go on with what waits; the first that can."""
        return min(self.waits, key=lambda one: one.seconds, default=None)

    def resource(self, sort: str, name: str) -> Resource:
        """What is known of one thing; empty for nothing."""
        return self.holdings.resource(sort, name) or {}

    def keep(self, sort: str, name: str, value: Mapping[str, Any]) -> None:
        """Write one down."""
        self.holdings.keep(sort, {name: value})

    def past(self, sort: str, name: str, at_aws: str) -> None:
        """This is no more; what its id at AWS stood for is kept for those who read old logs."""
        self.keep(PAST, f"{sort}/{at_aws}"[:120], {"name": name, "at": self.clock()})
        self.holdings.drop(sort, [name])

    def forget_past(self) -> None:
        """Of what is long past nobody reads any more."""
        past = self.holdings.resources(PAST)
        self.holdings.drop(PAST, [name for name, one in past.items() if self.clock() - one["at"] > PAST_S])

    def made_once(
        self, sort: str, name: str, called: str, find: Callable[[str], str], make: Callable[[], str]
    ) -> str:
        """The id of something that AWS would make twice if asked twice. Raises AwsError.

        That it is being made is written down before the call. Who finds that note without an id looks first, since the
        answer to an earlier call may be lost, and makes it again only when it would have been seen by now. `called` is
        what it is found by.
        """
        known = self.resource(sort, name)
        if known.get("id"):
            return str(known["id"])
        found = self.found_by_now(known.get("making"), partial(find, called))
        if not found:
            with self.in_doubt(sort, {name: {**known, "making": self.clock(), "called": called}}):
                found = make()
        self.keep(sort, name, {**self.resource(sort, name), "id": found})
        return found

    @contextmanager
    def in_doubt(self, sort: str, notes: Mapping[str, Resource]) -> Iterator[None]:
        """Write down what is about to be asked for. It stays so where nobody knows whether AWS did it: when the answer
        is lost, or this process is."""
        before = {name: self.holdings.resource(sort, name) for name in notes}
        self.holdings.keep(sort, notes)
        try:
            yield
        except Lost:
            raise
        except AwsError:
            self.holdings.keep(sort, {name: known for name, known in before.items() if known is not None})
            self.holdings.drop(sort, [name for name, known in before.items() if known is None])
            raise

    def id_of(self, sort: str, name: str, find: Callable[[str], str]) -> str:
        """The id of something that is to go; empty for nothing. Raises AwsError, NotYet where that is not sure."""
        known = self.resource(sort, name)
        if known.get("id"):
            return str(known["id"])
        return self.found_by_now(known.get("making"), partial(find, str(known.get("called"))))

    def found_by_now(self, began: float | None, find: Callable[[], str]) -> str:
        """What was asked for at `began`, if anything was; empty where it is certain that it was not made.

        Raises NotYet where that is not certain: lists at AWS tell late of what is new.
        """
        if began is None:
            return ""
        found = find()
        if not found and self.clock() - began < SURE_S:
            message = "It is looked for whether AWS did what it did not answer."
            raise NotYet(message, retry_in_s=LOOK_AGAIN_S)
        return found
