"""What a Publication on API Gateway says beside the document: where calls go, who may make them, what is checked.

Plain frozen values. Each is checked as it is made and raises ValueError with a sentence that says what to correct,
so that no text of a person reaches an ARN, a URI or a template unless it has the form it should have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateways.drivers.agents.names import ORIGIN, address

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
ACCOUNT = re.compile(r"\d{12}")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
FUNCTION_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}")
ALIAS = re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}")
VARIABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
HEADER = re.compile(r"[A-Za-z0-9!#&*+.^_|~-]{1,128}")
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#&.+*^_-]{1,127}/[A-Za-z0-9!#&.+*^_-]{1,127}")
STATUS = re.compile(r"[1-5]\d\d")
_SERVICE = re.compile(r"([a-z0-9.-]+\.)?[a-z0-9-]+")
_SERVICE_PATH = re.compile(r"[A-Za-z0-9._~!$&()*+,;=:@/{}%-]{1,1000}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

MIN_TIMEOUT_MS, MAX_TIMEOUT_MS = 50, 29_000


class IntegrationKind(StrEnum):
    """What stands behind an operation."""

    LAMBDA_PROXY = "lambda_proxy"
    LAMBDA = "lambda"
    HTTP = "http"
    HTTP_PROXY = "http_proxy"
    AWS = "aws"
    MOCK = "mock"

    @property
    def is_proxy(self) -> bool:
        """Whether calls and answers pass as they are."""
        return self in (IntegrationKind.LAMBDA_PROXY, IntegrationKind.HTTP_PROXY)


class Passthrough(StrEnum):
    """What happens to a body for whose content type there is no template."""

    WHEN_NO_MATCH = "when_no_match"
    WHEN_NO_TEMPLATES = "when_no_templates"
    NEVER = "never"


class ContentHandling(StrEnum):
    """How a body is recoded on its way."""

    TO_TEXT = "CONVERT_TO_TEXT"
    TO_BINARY = "CONVERT_TO_BINARY"


class Validate(StrEnum):
    """What API Gateway checks of a call by the document."""

    NONE = "none"
    BODY = "body"
    PARAMETERS = "parameters"
    ALL = "all"

    @property
    def of_body(self) -> bool:
        """Whether bodies are checked by models."""
        return self in (Validate.BODY, Validate.ALL)

    @property
    def of_parameters(self) -> bool:
        """Whether required parameters must be there."""
        return self in (Validate.PARAMETERS, Validate.ALL)


class AuthorizerKind(StrEnum):
    """Who says that a caller may call."""

    IAM = "iam"
    COGNITO = "cognito"
    TOKEN = "token"  # noqa: S105  a kind
    REQUEST = "request"
    JWT = "jwt"


def demand(fits: object, message: str) -> None:
    """Raises ValueError with `message` unless `fits`."""
    if not fits:
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Selection:
    """An answer of a non-proxy integration: for what matches `pattern` (status of an HTTP or AWS answer, error text
    of a Lambda function; empty for all else), the status, templates by content type, and headers by mapping
    expression."""

    status: str
    pattern: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content_handling: ContentHandling | None = None

    def __post_init__(self) -> None:
        demand(
            STATUS.fullmatch(self.status), f"{self.status!r} is no status: write three digits such as 200."
        )
        for name in self.headers:
            demand(HEADER.fullmatch(name), f"{name!r} is no name of a header.")


@dataclass(frozen=True, slots=True)
class Integration:
    """Where the calls of an operation go. Which fields count depends on `kind`:

    lambda_proxy, lambda: `function` (name, or ARN without qualifier), at the alias that the stage variable
    `alias_variable` names, or else at `alias`. http, http_proxy: `url`, to which the path of the operation is added.
    aws: `service`, and `action` or `path`, called as `method` with the rights of `role`. mock: answers by itself.
    `templates` are by content type; `parameters` map `integration.request...` to a mapping expression.
    """

    kind: IntegrationKind
    function: str = ""
    alias_variable: str = ""
    alias: str = ""
    url: str = ""
    service: str = ""
    action: str = ""
    path: str = ""
    method: str = ""
    role: str = ""
    timeout_ms: int = MAX_TIMEOUT_MS
    passthrough: Passthrough = Passthrough.WHEN_NO_MATCH
    content_handling: ContentHandling | None = None
    templates: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    selections: tuple[Selection, ...] = ()

    def __post_init__(self) -> None:
        lowest, highest = MIN_TIMEOUT_MS, MAX_TIMEOUT_MS
        demand(lowest <= self.timeout_ms <= highest, f"A timeout lies between {lowest} and {highest} ms.")
        demand(not self.role or ROLE.fullmatch(self.role), f"{self.role!r} is no ARN of an IAM role.")
        demand(not self.method or self.method in _METHODS, f"{self.method!r} is no method.")
        for part in ("status", "pattern"):
            values = [getattr(selection, part) for selection in self.selections]
            demand(
                len(set(values)) == len(values),
                f"Two answers have the same {part}: API Gateway keeps one of each.",
            )
        match self.kind:
            case IntegrationKind.LAMBDA | IntegrationKind.LAMBDA_PROXY:
                self._check_function()
            case IntegrationKind.HTTP | IntegrationKind.HTTP_PROXY:
                address(self.url)
            case IntegrationKind.AWS:
                self._check_service()

    def _check_function(self) -> None:
        name = self.function.rpartition(":")[2]
        demand(
            FUNCTION.fullmatch(name) and (name == self.function or FUNCTION_ARN.fullmatch(self.function)),
            f"{self.function!r} is no function: give its name or its ARN without a qualifier.",
        )
        variable, alias = self.alias_variable, self.alias
        demand(not (variable and alias), "Give an alias or the stage variable that names it, not both.")
        demand(not variable or VARIABLE.fullmatch(variable), f"{variable!r} is no name of a stage variable.")
        demand(
            not alias or ALIAS.fullmatch(alias), f"{alias!r} is no alias: it may not be a number or $LATEST."
        )

    def _check_service(self) -> None:
        demand(_SERVICE.fullmatch(self.service), f"{self.service!r} is no name of an AWS service.")
        demand(bool(self.action) != bool(self.path), "An AWS service is called by an action or by a path.")
        demand(_SERVICE_PATH.fullmatch(self.action or self.path), "The action or path holds odd characters.")
        demand(self.role, "An AWS service is called with the rights of an IAM role. Give its ARN.")


@dataclass(frozen=True, slots=True)
class Authorizer:
    """Who decides on a call. `name` is unique within the API.

    iam needs nothing else; cognito `user_pools` (ARNs); token and request `function` with `alias` or
    `alias_variable`, or `role` in place of a permission; jwt `issuer` and `audience`. `sources` are the headers
    (and `query:name`) where the caller's identity stands: one for cognito, token and jwt. `scopes` are asked of a
    token of cognito or jwt. `checks_keys` is true for the portal's own, which knows keys and plans."""

    name: str
    kind: AuthorizerKind
    function: str = ""
    alias_variable: str = ""
    alias: str = ""
    role: str = ""
    sources: tuple[str, ...] = ("Authorization",)
    ttl_s: int = 300
    token_pattern: str = ""
    user_pools: tuple[str, ...] = ()
    issuer: str = ""
    audience: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("RS256",)
    scopes: tuple[str, ...] = ()
    checks_keys: bool = False

    def __post_init__(self) -> None:
        demand(
            NAME.fullmatch(self.name), f"{self.name!r} is no name of an authorizer: letters, digits, - and _."
        )
        demand(0 <= self.ttl_s <= 3_600, "What an authorizer said is kept for 0 to 3600 seconds.")
        demand(not self.role or ROLE.fullmatch(self.role), f"{self.role!r} is no ARN of an IAM role.")
        for source in self.sources:
            demand(HEADER.fullmatch(source.removeprefix("query:")), f"{source!r} is no name of a header.")
        if self.kind in (AuthorizerKind.TOKEN, AuthorizerKind.REQUEST):
            self.invoked()
        if self.kind is AuthorizerKind.COGNITO:
            demand(self.user_pools, "A Cognito authorizer needs the ARN of at least one user pool.")
        if self.kind is AuthorizerKind.JWT:
            demand(self.issuer.startswith("https://"), "The issuer of a JWT authorizer starts with https://.")
            demand(self.audience, "A JWT authorizer needs at least one audience.")
        if self.kind is not AuthorizerKind.REQUEST:
            demand(len(self.sources) == 1, "Only a request authorizer reads several sources.")

    def invoked(self) -> Integration:
        """The function as it is invoked."""
        return Integration(
            IntegrationKind.LAMBDA_PROXY,
            function=self.function,
            alias_variable=self.alias_variable,
            alias=self.alias,
            role=self.role,
        )


DEFAULT_HEADERS = (
    "authorization",
    "x-api-key",
    "content-type",
    "accept",
    "accept-language",
    "idempotency-key",
    "if-match",
)
EXPOSED_HEADERS = ("x-request-id", "retry-after")


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may call. Without `methods` those of each path; `("*",)` as origins means any."""

    origins: tuple[str, ...]
    headers: tuple[str, ...] = DEFAULT_HEADERS
    methods: tuple[str, ...] = ()
    exposed: tuple[str, ...] = EXPOSED_HEADERS
    max_age_s: int = 600

    def __post_init__(self) -> None:
        demand(self.origins, "CORS needs at least one origin.")
        for origin in self.origins:
            demand(self.origins == ("*",) or ORIGIN.fullmatch(origin), f"{origin!r} is no scheme and host.")
        for name in (*self.headers, *self.exposed):
            demand(HEADER.fullmatch(name), f"{name!r} is no name of a header.")
        for method in self.methods:
            demand(method in _METHODS, f"{method!r} is no method.")
        demand(0 <= self.max_age_s <= 86_400, "A preflight is kept for 0 to 86400 seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """An API of any type. `name` is its remote name, unique and ASCII, because metrics of equal names merge.

    `overrides` and `authorized_by` are by the key of an operation (`apis.spec.rules.operation_key`); "" there means
    no authorizer. `catch_all` also passes on calls that the document does not describe. An API that asks for
    nothing at all must be meant so: `open_to_all`."""

    name: str
    region: str
    account: str
    integration: Integration
    partition: str = "aws"
    description: str = ""
    overrides: Mapping[str, Integration] = field(default_factory=dict)
    authorizers: tuple[Authorizer, ...] = ()
    authorizer: str = ""
    authorized_by: Mapping[str, str] = field(default_factory=dict)
    open_to_all: bool = False
    cors: Cors | None = None
    catch_all: bool = False

    def __post_init__(self) -> None:
        demand(
            re.fullmatch(r"[\x20-\x7e]{1,255}", self.name), "The name of an API is 1 to 255 ASCII characters."
        )
        demand(REGION.fullmatch(self.region), f"{self.region!r} is no region, such as eu-central-1.")
        demand(
            ACCOUNT.fullmatch(self.account), f"{self.account!r} is no account number: it has twelve digits."
        )
        demand(re.fullmatch(r"aws(-[a-z]+)*", self.partition), f"{self.partition!r} is no partition.")
        names = [authorizer.name for authorizer in self.authorizers]
        demand(len(set(names)) == len(names), "Two authorizers have the same name.")
        for name in {self.authorizer, *self.authorized_by.values()} - {""}:
            demand(name in names, f"There is no authorizer {name!r}.")
        guarded = self._asks_for_key or (self.authorizer and all(self.authorized_by.values()))
        demand(guarded or self.open_to_all, NOTHING_ASKED)

    @property
    def _asks_for_key(self) -> bool:
        return False

    def authorizer_of(self, key: str) -> Authorizer | None:
        """Who decides on the calls of an operation."""
        name = self.authorized_by.get(key, self.authorizer)
        return next((found for found in self.authorizers if found.name == name), None)

    def integration_of(self, key: str) -> Integration:
        """Where the calls of an operation go."""
        return self.overrides.get(key, self.integration)


NOTHING_ASKED = (
    "Anyone could call an operation of this API: ask for a key, name an authorizer for every operation, or say that "
    "it is open to all."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings(HttpSettings):
    """A REST API. `endpoint_type` goes to CreateRestApi: never EDGE unless somebody says so, for it is created ten
    times slower. `policy` is a resource policy as a JSON object."""

    api_key_required: bool = True
    key_from_authorizer: bool = False
    validate: Validate = Validate.NONE
    binary_media_types: tuple[str, ...] = ()
    minimum_compression: int | None = None
    policy: Mapping[str, Any] | None = None
    endpoint_type: str = "REGIONAL"
    execute_api_disabled: bool = False

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew by its decorator, and the bare `super()` still means the first one.
        HttpSettings.__post_init__(self)
        demand(
            self.endpoint_type in ("REGIONAL", "EDGE", "PRIVATE"),
            f"{self.endpoint_type!r} is no endpoint type.",
        )
        for media_type in self.binary_media_types:
            demand(MEDIA_TYPE.fullmatch(media_type), f"{media_type!r} is no media type.")
        size = self.minimum_compression
        demand(size is None or 0 <= size <= 10_485_760, "Bodies are compressed from 0 to 10485760 bytes on.")

    @property
    def _asks_for_key(self) -> bool:
        return self.api_key_required


__all__ = [
    "Authorizer",
    "AuthorizerKind",
    "ContentHandling",
    "Cors",
    "HttpSettings",
    "Integration",
    "IntegrationKind",
    "Passthrough",
    "RestSettings",
    "Selection",
    "Validate",
]
