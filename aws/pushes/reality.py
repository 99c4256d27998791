"""What is in AWS, read when it is asked for and kept until something changes it: each page of it is a counted call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from aws.client.calls import Calls
from aws.client.errors import Missing
from aws.pushes.wanted import MARK

FUNCTION, ROLE, ALIASES, VERSIONS = "function", "role", "aliases", "versions"
PROVISIONED, EVENTS, ROOM = "provisioned", "events", "room"
POLICY = "portal"
"""The name of the one inline policy of a role that the portal makes."""


class Reality:
    """One function and what belongs to it. Reads raise as the calls do; what is not there is None or empty."""

    def __init__(self, calls: Calls, name: str, role_name: str = "") -> None:
        self._calls = calls
        self._name = name
        self._role_name = role_name
        self._kept: dict[str, Any] = {}

    def forget(self, parts: Iterable[str] = ()) -> None:
        """Read these anew when they are asked for; all of it when none is named."""
        names = tuple(parts)
        self._kept = {key: value for key, value in self._kept.items() if names and not key.startswith(names)}

    def function(self) -> dict[str, Any] | None:
        """GetFunction: configuration, tags, reserved concurrency and the place of the code in one call."""
        return cast(
            "dict[str, Any] | None", self._once(FUNCTION, lambda: self._or_none("lambda", "GetFunction"))
        )

    def role(self) -> dict[str, Any] | None:
        """The role that the portal makes, with its inline policy under `Policy`."""
        return cast("dict[str, Any] | None", self._once(ROLE, self._read_role))

    def aliases(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return cast(
            "dict[str, dict[str, Any]]",
            self._once(ALIASES, lambda: self._list("ListAliases", "Aliases", "Name")),
        )

    def versions(self) -> dict[str, dict[str, Any]]:
        """By number, without $LATEST."""
        found = self._once(VERSIONS, lambda: self._list("ListVersionsByFunction", "Versions", "Version"))
        return {number: one for number, one in found.items() if number != "$LATEST"}

    def version_marked(self, version_id: str) -> dict[str, Any] | None:
        """The version that bears the mark of a record."""
        for one in self.versions().values():
            if one.get("Description", "").split(" ")[0] == MARK + version_id:
                return one
        return None

    def provisioned(self) -> dict[str, dict[str, Any]]:
        """By qualifier."""

        def read() -> dict[str, dict[str, Any]]:
            name = "ProvisionedConcurrencyConfigs"
            pages = self._calls.pages(
                "lambda", "ListProvisionedConcurrencyConfigs", name, FunctionName=self._name
            )
            return {one["FunctionArn"].rsplit(":", 1)[-1]: one for one in pages}

        return cast("dict[str, dict[str, Any]]", self._once(PROVISIONED, read))

    def room(self) -> int:
        """So much concurrency of the account is reserved by no function."""

        def read() -> int:
            return int(
                self._calls.call("lambda", "GetAccountSettings")["AccountLimit"][
                    "UnreservedConcurrentExecutions"
                ]
            )

        return cast("int", self._once(ROOM, read))

    def events(self, qualifier: str) -> dict[str, Any] | None:
        """Where results of a qualifier go, as it is told."""
        key = f"{EVENTS}:{qualifier}"
        read = "GetFunctionEventInvokeConfig"
        return cast(
            "dict[str, Any] | None",
            self._once(key, lambda: self._or_none("lambda", read, Qualifier=qualifier)),
        )

    def _once(self, key: str, read: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = read()
        return self._kept[key]

    def _or_none(self, service: str, operation: str, **params: Any) -> dict[str, Any] | None:
        try:
            return self._calls.call(service, operation, FunctionName=self._name, **params)
        except Missing:
            return None

    def _list(self, operation: str, member: str, key: str) -> dict[str, dict[str, Any]]:
        return {
            one[key]: one for one in self._calls.pages("lambda", operation, member, FunctionName=self._name)
        }

    def _read_role(self) -> dict[str, Any] | None:
        try:
            role: dict[str, Any] = self._calls.call("iam", "GetRole", RoleName=self._role_name)["Role"]
        except Missing:
            return None
        try:
            found = self._calls.call("iam", "GetRolePolicy", RoleName=self._role_name, PolicyName=POLICY)
            role["Policy"] = found["PolicyDocument"]
        except Missing:
            role["Policy"] = None
        return role
