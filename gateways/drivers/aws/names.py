"""How things of ours are called at AWS, and the marks by which they are found again. No name there is unique, and what
does not bear our marks is never touched."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from aws.policies.names import function_name
from gateways.engine.document import Key, Route

INSTANCE_TAG = "portal:instance"
OBJECT_TAG = "portal:object"
LONGEST_NAME = 200

_UNUSUAL = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one installation; `prefix` is that of its AwsAccount, `gateway` the short name of the gateway."""

    prefix: str
    gateway: str = ""

    @property
    def authorizer(self) -> str:
        """Of the gateway's authorizer, function and role: 64 characters at most, for each gateway another one."""
        told = hashlib.sha256(self.gateway.encode()).hexdigest()[:8]
        return function_name(self.prefix, f"authorizer-{self.gateway[:24]}-{told}")

    def tags(self, name: str) -> dict[str, str]:
        """The marks of something that stands for the object `name`."""
        return {INSTANCE_TAG: self.prefix, OBJECT_TAG: name}

    def api(self, route: Route) -> str:
        """Unique and ASCII: CloudWatch adds up metrics of APIs of one name."""
        return self._name(route.label, route.api_version)

    def plan(self, label: str, name: str) -> str:
        """Of a usage plan. Lists of plans tell no tags, so it is found by its name."""
        return self._name(label, name)

    def key(self, key: Key) -> str:
        """Of an API key: what the portal shows of it."""
        return self.key_of(key.id)

    def key_of(self, public_id: str) -> str:
        """Likewise, of a key that is known by its public id alone."""
        return f"{self.prefix}-{public_id}"

    def deployment(self, publication: str, wanted: str) -> str:
        """The description by which a deployment is found again."""
        return f"{self.prefix} {publication} {wanted[:16]}"

    def _name(self, label: str, name: str) -> str:
        words = _UNUSUAL.sub("-", label.lower()).strip("-")
        return f"{self.prefix}-{words[: LONGEST_NAME - len(name) - 20]}-{name}"


def statement_id(api_id: str, *, is_authorizer: bool = False) -> str:
    """Of the permission with which an API may call a function: the same for the same two."""
    return f"portal-{api_id}-authorizer" if is_authorizer else f"portal-{api_id}"
