"""Reads around prompts: their routes and models, what is wrong with a draft, what a call would cost, how tests went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Aggregate, Avg, Count, Exists, FloatField, OuterRef, Prefetch, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from ai.models import (
    AiModel,
    ModelPrice,
    ModelRoute,
    Prompt,
    PromptLabel,
    PromptVersion,
    RouteTarget,
    TestCase,
    TestResult,
    TestRun,
)
from ai.pricing import PriceList, money
from ai.prompts.chat import most_of_chat, prompt_body
from ai.prompts.drafts import Problem, ReadDraft, problems_of
from ai.prompts.schemas import SchemaFault, faults_of, validator
from ai.prompts.variables import body_schema, with_defaults
from teams.models import Actor, Team, Verb


def usable_routes(team: Team) -> QuerySet[ModelRoute]:
    """The aliases that the prompts of a team may name: its own, then the shared ones."""
    return (
        ModelRoute.objects.usable()
        .filter(Q(team=team) | Q(team=None))
        .filter(Exists(RouteTarget.objects.filter(route=OuterRef("pk"), model__in=AiModel.objects.usable())))
        .order_by("team__name", "alias")
    )


def usable_models(team: Team) -> QuerySet[AiModel]:
    """The chat models that a team may try a prompt on."""
    own = Q(provider__team=team) | Q(provider__team=None)
    return AiModel.objects.usable().filter(own, mode=AiModel.Mode.CHAT).select_related("provider")


def models_of_route(route: ModelRoute) -> list[AiModel]:
    """The models in use behind an alias, in the order in which they are tried."""
    found = RouteTarget.objects.filter(route=route, model__in=AiModel.objects.usable())
    return [target.model for target in found.select_related("model__provider").order_by("rank", "id")]


def route_named(team: Team, public_id: str) -> ModelRoute | None:
    """The alias that a draft names, if the team may use it."""
    return usable_routes(team).filter(public_id=public_id).first() if public_id else None


def problems_of_draft(prompt: Prompt, draft: Mapping[str, Any] | None = None) -> list[Problem]:
    """Everything that keeps the draft (or another in its form) from being frozen, its route included."""
    plain = prompt.draft if draft is None else draft
    found = problems_of(plain)
    if route_named(prompt.team, plain["route"]) is None:
        found.append(Problem("route", _("Choose the models that it calls: one of the routes of your team.")))
    return found


def visible_prompts(actor: Actor) -> QuerySet[Prompt]:
    """Prompts that the actor may see, with their teams."""
    return Prompt.objects.visible_to(actor).select_related("team")


def listed_prompts(actor: Actor) -> QuerySet[Prompt]:
    """Those in use, with `labelled` labels, the `newest` version and the `last_run` of each, as lists."""
    versions = PromptVersion.objects.order_by("prompt_id", "-number").distinct("prompt_id")
    runs = (
        TestRun.objects.order_by("prompt_id", "-id").distinct("prompt_id").select_related("version__prompt")
    )
    return (
        Prompt.objects.visible_to(actor)
        .active()
        .select_related("team")
        .prefetch_related(
            Prefetch("labels", PromptLabel.objects.select_related("version"), to_attr="labelled"),
            Prefetch("versions", versions, to_attr="newest"),
            Prefetch("test_runs", runs, to_attr="last_run"),
        )
        .order_by("team__name", "name")
    )


def editing_teams(actor: Actor) -> QuerySet[Team]:
    """The teams in which the actor may write prompts."""
    return Team.objects.filter(pk__in=actor.team_ids(Verb.PROMPT_EDIT)).order_by("name")


def latest_version(prompt: Prompt) -> PromptVersion | None:
    """The version with the highest number."""
    return prompt.versions.select_related("route").order_by("-number").first()


def plain_version(version: PromptVersion) -> dict[str, Any]:
    """A version in the form of a draft."""
    return {
        "messages": version.messages,
        "variables": version.variables,
        "output_schema": version.output_schema,
        "parameters": version.parameters,
        "route": version.route.public_id,
        "cache_s": version.cache_s,
        "guard": version.guard,
    }


# ---- what a call would be ----


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages and parameters of a call, and what each model of the route would cost at most. `faults`: the values
    that do not fit, with their places; then nothing is rendered."""

    faults: Sequence[SchemaFault] = ()
    messages: Sequence[Mapping[str, Any]] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    models: Sequence[Mapping[str, Any]] = ()

    def to_plain(self) -> dict[str, Any]:
        """As the render endpoint of a prompt answers."""
        return {
            "messages": list(self.messages),
            "parameters": dict(self.parameters),
            "models": list(self.models),
        }


def rendered(
    read: ReadDraft, draft: Mapping[str, Any], values: Mapping[str, Any], models: Sequence[AiModel]
) -> Rendered:
    """What a call with `values` would send, and its most cost by the prices of now: nothing is called."""
    given = {name: value for name, value in values.items() if value is not None}
    faults = faults_of(validator(body_schema(read.variables)), given)
    if faults:
        return Rendered(faults)
    schema = draft["output_schema"]
    body = prompt_body(
        read.templates,
        read.variables,
        with_defaults(read.variables, values),
        parameters=draft["parameters"],
        output_schema=schema if isinstance(schema, dict) else None,
        takes_schema=all("json_schema" in model.capabilities for model in models),
    )
    prices = prices_at(models, timezone.now())
    return Rendered(
        messages=body["messages"],
        parameters={name: value for name, value in body.items() if name != "messages"},
        models=[_at_most(model, body, prices.get(model.pk)) for model in models],
    )


def _at_most(model: AiModel, body: Mapping[str, Any], prices: PriceList | None) -> dict[str, Any]:
    most = most_of_chat(body, max_output=model.max_output, prices=prices)
    amount = None if most.nanos is None else money(most.nanos)
    return {
        "model": model.name,
        "is_toy": model.is_toy,
        "estimated_input_tokens": most.input,
        "most_output_tokens": most.output,
        "most_cost": {"amount": amount, "currency": most.currency or None},
    }


def prices_at(models: Sequence[AiModel], moment: datetime) -> dict[int, PriceList]:
    """The price list of each model at a moment, by primary key; one that nobody knows is not in it.

    An override of one's own goes before what a catalogue says.
    """
    rows = ModelPrice.objects.filter(model__in=models, retired_at=None, valid_from__lte=moment)
    found: dict[int, ModelPrice] = {}
    for row in rows.order_by("valid_from", "id"):
        known = found.get(row.model_id)
        if known is None or not (_is_override(known) and not _is_override(row)):
            found[row.model_id] = row
    return {key: PriceList.from_plain(_plain_price(row)) for key, row in found.items()}


def _is_override(price: ModelPrice) -> bool:
    return price.source == ModelPrice.Source.OVERRIDE


def _plain_price(price: ModelPrice) -> dict[str, Any]:
    return {"version": price.version, "currency": price.currency, "rates": price.rates}


# ---- tests ----


class Median(Aggregate):
    """The value in the middle."""

    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class History:
    """How one version did on one model over all finished runs.

    `costs` holds (1e-9 of a currency, currency) for each currency; `unpriced` counts the calls without a price.
    """

    version: int
    model: str
    calls: int
    passed: int
    latency_ms: float
    tokens: float
    costs: tuple[tuple[int, str], ...]
    unpriced: int

    @property
    def pass_rate(self) -> float:
        """From 0 to 1."""
        return self.passed / self.calls


def test_history(prompt: Prompt) -> list[History]:
    """Pass rate, cost and latency per version and model, the newest version first."""
    ended = TestResult.objects.filter(run__prompt=prompt, run__state__in=TestRun.ENDED)
    groups = ("run__version__number", "model_name")
    rows = (
        ended.values(*groups)
        .annotate(
            calls=Count("pk"),
            good=Count("pk", filter=Q(passed=True)),
            middle=Median("latency_ms"),
            mean=Avg("tokens"),
            unpriced=Count("pk", filter=Q(cost_nano=None)),
        )
        .order_by("-run__version__number", "model_name")
    )
    costs: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
    priced = ended.exclude(cost_nano=None).values_list(*groups, "currency").annotate(Sum("cost_nano"))
    for number, model, currency, nano in priced.order_by("currency"):
        costs[number, model].append((nano, currency))
    return [
        History(
            version=row["run__version__number"],
            model=row["model_name"],
            calls=row["calls"],
            passed=row["good"],
            latency_ms=row["middle"],
            tokens=row["mean"],
            costs=tuple(costs[row["run__version__number"], row["model_name"]]),
            unpriced=row["unpriced"],
        )
        for row in rows
    ]


def active_cases(prompt: Prompt) -> QuerySet[TestCase]:
    """The test cases that a run goes through."""
    return TestCase.objects.filter(prompt=prompt, retired_at=None).order_by("id")


def cases_with_outcomes(prompt: Prompt) -> list[TestCase]:
    """The test cases in use, each with `last`: its newest result in a finished run, or None."""
    cases = list(active_cases(prompt))
    results = TestResult.objects.filter(case__in=cases, run__state__in=TestRun.ENDED)
    newest = results.order_by("case_id", "-id").distinct("case_id").select_related("run__version")
    found = {result.case_id: result for result in newest}
    for case in cases:
        case.last = found.get(case.pk)  # type: ignore[attr-defined]
    return cases


def failed_requirements(version: PromptVersion) -> str:
    """Why the required test cases do not let `version` into production; empty where they do.

    Counts the last finished run on the models of its route, or on one of them.
    """
    required = list(active_cases(version.prompt).filter(is_required=True))
    if not required:
        return ""
    on_route = Q(model=None) | Q(model__in=RouteTarget.objects.filter(route=version.route).values("model"))
    runs = TestRun.objects.filter(on_route, version=version, state__in=TestRun.ENDED)
    run = runs.order_by("-finished_at", "-id").first()
    if run is None:
        return _("Version %(n)s has not been tested. Run its tests first.") % {"n": version.number}
    if run.state == TestRun.State.BROKEN:
        return _("The last tests of version %(n)s could not be run (%(why)s). Run them again.") % {
            "n": version.number,
            "why": run.problem,
        }
    return _unmet(version, run, required)


def _unmet(version: PromptVersion, run: TestRun, required: Sequence[TestCase]) -> str:
    results = {result.case_id: result for result in run.results.all()}
    failed = [case.name for case in required if case.pk in results and not results[case.pk].passed]
    if failed:
        return _(
            "Version %(n)s failed required tests: %(cases)s. Correct the prompt or the test, then run them again."
        ) % {"n": version.number, "cases": ", ".join(failed[:5])}
    stale = [case.name for case in required if case.pk not in results or case.updated_at > run.created_at]
    if stale:
        return _(
            "Tests were added or changed since version %(n)s was tested: %(cases)s. Run its tests again."
        ) % {
            "n": version.number,
            "cases": ", ".join(stale[:5]),
        }
    return ""


def models_visible_in(team: Team, public_id: str) -> AiModel | None:
    """A chat model that a team may try a prompt on, by its public id."""
    return usable_models(team).filter(public_id=public_id).first()
