"""A scratch portal of a large company for the benchmarks of the portal: its database, and a catalogue in bulk.

The rows are those that the actions leave behind, without the audit trail of how they came. Everything is drawn from
one fixed seed. Import this module before anything of Django: it names the database that Django then opens.
"""

# ruff: noqa: SIM905 - the database is named before Django is imported; lists of words read best as text
from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg

SIZES = ("quick", "normal", "full")
_SERVER = os.environ.get("DATABASE_URL", "")
_NAME = f"gatehouse_bench_{os.getpid()}"
os.environ["DATABASE_URL"] = urlunsplit(urlsplit(_SERVER)._replace(path=f"/{_NAME}"))

import django

django.setup()

from django.core.management import call_command
from django.db import connection, models
from django.utils import timezone

from apis.actions.search import MOST_WORDS
from apis.models import (
    Api,
    ApiShare,
    ApiVersion,
    Operation,
    Plan,
    PlanRevision,
    Revision,
    SpecDocument,
)
from apis.models.words import words_of
from gateways.models import BasePathClaim, Gateway, Publication
from subscriptions.keys import value_digest
from subscriptions.models import AccessRequest, Application, Credential, Subscription
from teams.models import Team, TeamRole, User
from tests import factories

_BATCH = 2_000
DRAW = random.Random(20_261_127)


def size() -> str:
    """How much to measure: the first argument, one of SIZES."""
    chosen = sys.argv[1] if len(sys.argv) > 1 else "normal"
    if chosen not in SIZES:
        sys.exit(f"Say one of {', '.join(SIZES)}.")
    return chosen


def report(what: str, value: float, unit: str, *, goal: str | None = None, note: str = "") -> None:
    """Print one figure as a line of JSON."""
    rounded = float(f"{value:.3g}") if abs(value) < 1000 else round(value)
    line = {"what": what, "value": rounded, "unit": unit, "goal": goal, "note": note}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell whoever waits what is under way, and how busy the machine is."""
    sys.stderr.write(f"[load {os.getloadavg()[0]:.1f}] {text}\n")


@contextlib.contextmanager
def scratch_database() -> Iterator[None]:
    """A migrated database of our own on the server that the environment names, dropped at the end."""
    with psycopg.connect(_SERVER, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {_NAME}")  # type: ignore[call-overload]
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            connection.close()
            server.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")  # type: ignore[call-overload]


def settle_tables() -> None:
    """What autovacuum would have done by now on a server that was not filled a moment ago."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


# ---- words ----

_SUBJECTS = (
    "orders payments invoices customers shipments warehouses tariffs weather routes vehicles drivers parcels returns "
    "refunds carts prices discounts vouchers products stock suppliers contracts claims policies accounts ledgers "
    "balances transfers cards loans meters sensors alerts tickets agents calls messages mails documents signatures "
    "archives reports forecasts budgets salaries shifts vacancies courses exams patients appointments prescriptions "
    "labs images permits taxes customs ports vessels containers flights bookings seats hotels rooms events venues"
).split()
_KINDS = (
    "service registry lookup gateway feed planner engine search history stream export import audit rules"
).split()
_PLACES = (
    "europe nordic iberia asia america africa retail wholesale internal partner legacy core edge mobile"
).split()
_SYLLABLES = "ba ce di fo gu ka le mi no pu ra se ti vo zu bra cli dro fle gri pla ste tru".split()
TYPOS = ("oders", "paymnets", "shipmets", "wether", "custmers")
UNKNOWN = ("xylophone", "qwzx", "blockchain", "unicorns", "zzzz")


def _long_tail(count: int) -> list[str]:
    """Words of which each is rarer than the one before, as in every collection of texts."""
    made: dict[str, None] = {}
    while len(made) < count:
        made["".join(DRAW.choices(_SYLLABLES, k=DRAW.randint(2, 4)))] = None
    return list(made)


TAIL = _long_tail(4_000)
_TAIL_WEIGHTS = [1 / rank for rank in range(1, len(TAIL) + 1)]


def _prose(subject: str, words: int) -> str:
    drawn = DRAW.choices(TAIL, _TAIL_WEIGHTS, k=words - words // 6)
    drawn += DRAW.choices(_SUBJECTS, k=words // 6)
    DRAW.shuffle(drawn)
    return f"{subject.capitalize()} {' '.join(drawn)}."


def falling(count: int) -> list[float]:
    """Weights by which few of many take the most: that of the n-th is 1/n."""
    return [1 / rank for rank in range(1, count + 1)]


# ---- the company ----


@dataclass
class Company:
    """100 teams, of which Shop (alice) publishes and Logistics (dana) consumes most; erin approves for all."""

    gateway: Gateway
    teams: list[Team] = field(default_factory=list)
    people: dict[str, User] = field(default_factory=dict)
    apis: list[Api] = field(default_factory=list)
    versions: list[ApiVersion] = field(default_factory=list)
    terms: list[PlanRevision] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)

    @cached_property
    def operations(self) -> dict[int, list[Operation]]:
        """The operations of each document, by its primary key."""
        found: dict[int, list[Operation]] = {}
        for operation in Operation.objects.order_by("spec_id", "position"):
            found.setdefault(operation.spec_id, []).append(operation)
        return found


TEAMS, OF_SHOP = 100, 0.1


def make_company() -> Company:
    """The teams and people, and an empty gateway."""
    company = Company(factories.make_gateway())
    named = ["Shop", "Logistics", *(f"Team {number}" for number in range(TEAMS - 2))]
    company.teams = [factories.make_team(name) for name in named]
    for name in ("alice", "dana", "erin"):
        company.people[name] = factories.make_user(f"{name}@example.test", name=name.capitalize())
    factories.join(company.teams[0], company.people["alice"], TeamRole.OWNER)
    factories.join(company.teams[1], company.people["dana"], TeamRole.OWNER)
    company.people["erin"].platform_roles = ["approver"]
    company.people["erin"].save()
    for number, team in enumerate(company.teams):
        factories.join(
            team, factories.make_user(f"owner{number}@example.test", name=f"Owner {number}"), TeamRole.OWNER
        )
    return company


def publish(company: Company, count: int) -> None:
    """Have `count` APIs published on the gateway, each with one version and one or two plans; Shop has a tenth."""
    now, production = timezone.now(), factories.make_environment()
    documents = {team.pk: _documents(team) for team in company.teams}
    shop = int(count * OF_SHOP)
    owners = [company.teams[0] if n < shop else company.teams[1 + n % (TEAMS - 1)] for n in range(count)]
    company.apis = _write(_api(number, team) for number, team in enumerate(owners))
    _write(
        ApiShare(api=api, team=company.teams[1])
        for api in company.apis
        if api.visibility == "private" and DRAW.random() < 0.05
    )
    upstreams = {team.pk: factories.make_upstream(team) for team in company.teams}
    company.versions = _write(
        ApiVersion(
            api=api,
            major=1,
            state=ApiVersion.State.PUBLISHED,
            spec=DRAW.choice(documents[api.team_id]),
            upstream=upstreams[api.team_id],
        )
        for api in company.apis
    )
    revisions = _write(
        Revision(
            api_version=version, number=1, spec=version.spec, upstream=version.upstream, frozen_by="seed"
        )
        for version in company.versions
    )
    plans = _write(
        Plan(api=api, slug=name.lower(), name=name, state=Plan.State.PUBLISHED)
        for api in company.apis
        for name in ("Bronze", "Silver")[: DRAW.randint(1, 2)]
    )
    limits = {"rate_calls": 100, "burst": 200, "quota_day": 10**9, "quota_month": 10**10}
    company.terms = _write(PlanRevision(plan=plan, published_at=now, **limits) for plan in plans)
    claims = _write(
        BasePathClaim(gateway=company.gateway, path=f"/{api.team.slug}/{api.slug}/v1", team=api.team, api=api)
        for api in company.apis
    )
    company.publications = _write(
        Publication(
            api_version=revision.api_version,
            gateway=company.gateway,
            environment=production,
            claim=claim,
            revision=revision,
        )
        for revision, claim in zip(revisions, claims, strict=True)
    )
    _index_words(company)


def _api(number: int, team: Team) -> Api:
    subject = DRAW.choice(_SUBJECTS)
    name = f"{subject.capitalize()} {DRAW.choice(_KINDS)} {DRAW.choice(_PLACES)} {number}"
    return Api(
        team=team,
        slug=f"{subject}-{number}",
        name=name,
        summary=_prose(subject, 10)[:200],
        description=_prose(subject, 60),
        visibility=DRAW.choices(("internal", "private", "public"), (60, 25, 15))[0],
        tags=sorted({DRAW.choice(_PLACES), DRAW.choice(_KINDS), DRAW.choice(TAIL[:60])}),
        first_published_at=timezone.now() - timedelta(days=DRAW.randint(1, 900)),
    )


def _documents(team: Team) -> list[SpecDocument]:
    """Ten documents with twelve operations each."""
    return [_document(team, subject) for subject in DRAW.sample(_SUBJECTS, 10)]


def _document(team: Team, subject: str) -> SpecDocument:
    one = subject.rstrip("s")
    found = [
        (method, f"/{subject}{rest}", f"{verb}{one.capitalize()}{tail}", f"{verb} {one} {DRAW.choice(TAIL)}")
        for method, rest, verb, tail in (
            ("GET", "", "list", "s"), ("POST", "", "create", ""), ("GET", "/{id}", "get", ""),
            ("PUT", "/{id}", "replace", ""), ("PATCH", "/{id}", "change", ""), ("DELETE", "/{id}", "delete", ""),
            ("GET", "/{id}/items", "list", "Items"), ("POST", "/{id}/items", "add", "Item"),
            ("GET", "/{id}/items/{item}", "get", "Item"), ("GET", "/{id}/history", "get", "History"),
            ("GET", "/search", "search", "s"), ("GET", "/export.csv", "export", "s"),
        )
    ]  # fmt: skip
    paths: dict[str, dict[str, object]] = {}
    for method, path, key, summary in found:
        answer = {"200": {"description": "Done"}}
        paths.setdefault(path, {})[method.lower()] = {
            "operationId": key,
            "summary": summary,
            "responses": answer,
        }
    content = {
        "openapi": "3.1.0",
        "info": {"title": subject.capitalize(), "version": "1.0.0"},
        "paths": paths,
    }
    text = json.dumps(content)
    spec = SpecDocument.objects.create(
        team=team,
        digest=value_digest(text),
        openapi="3.1.0",
        title=subject,
        version="1.0.0",
        size=len(text),
        text=text,
    )
    _write(
        Operation(
            spec=spec, position=position, method=method, path=path, key=key, summary=summary, tags=[subject]
        )
        for position, (method, path, key, summary) in enumerate(found)
    )
    return spec


_VECTOR = " || ".join(
    f"setweight(to_tsvector('{config}', words.{weight}), '{weight.upper()}')"
    for weight in "abcd"
    for config in ("simple", "english")
)
_INDEX = f"""
    UPDATE apis_api SET search = {_VECTOR} FROM (
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) AS row (pk, a, b, c, d)
    ) AS words WHERE apis_api.id = words.pk
"""  # noqa: S608 - built from the letters above, no value is in it


def _index_words(company: Company) -> None:
    """What `refresh_search` does, for all of them at once; some are done by it, and have to come out alike."""
    spoken = {
        spec: " ".join(f"{o.path} {o.summary} {o.key} {' '.join(o.tags)}" for o in operations)
        for spec, operations in company.operations.items()
    }
    for start in range(0, len(company.apis), _BATCH):
        rows = [
            (
                api.pk,
                _words(f"{api.name} {api.slug} {' '.join(api.tags)}"),
                _words(f"{api.summary} {api.team.slug}"),
                _words(spoken[version.spec_id or 0]),
                _words(api.description),
            )
            for api, version in zip(
                company.apis[start : start + _BATCH], company.versions[start : start + _BATCH], strict=True
            )
        ]
        with connection.cursor() as cursor:
            cursor.execute(_INDEX, [list(column) for column in zip(*rows, strict=True)])


def _words(text: str) -> str:
    return " ".join(words_of(text)[:MOST_WORDS])


def subscribe(company: Company, count: int, *, to: int, applications: int = 200) -> None:
    """Have `count` subscriptions, each with a key, to the `to` most wanted APIs: the first has the most.

    A quarter of the applications are those of Logistics.
    """
    production = factories.make_environment()
    company.applications = _write(
        Application(
            team=company.teams[1] if number % 4 == 0 else company.teams[2 + number % (TEAMS - 2)],
            slug=f"application-{number}",
            name=f"{DRAW.choice(_SUBJECTS).capitalize()} application {number}",
        )
        for number in range(applications)
    )
    wanted = _wanted(company, to)
    terms = {row.plan.api_id: row for row in company.terms}
    pairs: dict[tuple[int, int], None] = {}
    while len(pairs) < count:
        pairs[(DRAW.randrange(applications), DRAW.choices(range(to), falling(to))[0])] = None
    company.subscriptions = _write(
        Subscription(
            application=company.applications[application],
            api_version=wanted[version],
            environment=production,
            plan_revision=terms[wanted[version].api_id],
        )
        for application, version in pairs
    )
    company.credentials = _write(map(_credential, company.subscriptions))


def _wanted(company: Company, to: int) -> Sequence[ApiVersion]:
    """Every other one of them is an API of Shop."""
    shop = int(len(company.versions) * OF_SHOP)
    own, others = company.versions[:shop], company.versions[shop:]
    return [version for pair in zip(own[:to], others[:to], strict=False) for version in pair][:to]


def _credential(subscription: Subscription) -> Credential:
    """Rows that nobody calls with: sealing a thousand keys would measure nothing here."""
    key = "".join(DRAW.choices("0123456789abcdefghjkmnpqrstvwxyz", k=16))
    return Credential(
        subscription=subscription,
        key_id=key,
        prefix="ghp",
        issued_by="seed",
        digest=b"",
        digest_key=1,
        sealed=b"",
        value_digest=key,
    )


def ask(company: Company, *, pending: int, decided: int) -> None:
    """Requests that wait, half of them for APIs of Shop, and those of the past."""
    now, production, asker = timezone.now(), factories.make_environment(), company.people["dana"]
    terms = {row.plan.api_id: row for row in company.terms}
    shop = int(len(company.versions) * OF_SHOP)
    made = []
    for number in range(pending + decided):
        version = DRAW.choice(company.versions[:shop] if number % 2 else company.versions[shop:])
        waits = number < pending
        made.append(
            AccessRequest(
                application=company.applications[number % len(company.applications)],
                api_version=version,
                plan_revision=terms[version.api_id],
                environment=production,
                reason=_prose("tours", 25),
                requested_by_kind="user",
                requested_by_id=asker.public_id if number % 4 == 0 else "usr_somebody",
                requested_by_label="Somebody",
                lapses_at=now + timedelta(days=30),
                due_at=now + timedelta(hours=DRAW.randint(-24, 96)),
                state="pending" if waits else DRAW.choice(("approved", "rejected", "withdrawn")),
                decided_by_kind="" if waits else "user",
                decided_by_id="" if waits else "usr_decider",
                decided_by_label="" if waits else "Decider",
                decided_at=None if waits else now - timedelta(hours=DRAW.randint(1, 9_000)),
                decision_note="" if waits else "As agreed.",
            )
        )
    unique = {(row.application_id, row.api_version_id): row for row in made[:pending]}
    _write([*unique.values(), *made[pending:]])


def _write[M: models.Model](rows: Iterable[M]) -> list[M]:
    made = list(rows)
    return type(made[0])._default_manager.bulk_create(made, batch_size=_BATCH) if made else []
