"""What is entered for a function, as it is kept. Each raises ValidationError that says what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from aws.client.limits import QUOTAS
from aws.client.strict_rules import RESERVED_ENVIRONMENT
from aws.models import AwsAccount, Feature
from aws.pushes.runtimes import RUNTIMES, offered

LAYER = re.compile(r"arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):\d{12}:layer:[A-Za-z0-9_-]+:[0-9]+")
IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})"
)
SUBNET, GROUP = re.compile(r"subnet-[0-9a-f]{8,17}"), re.compile(r"sg-[0-9a-f]{8,17}")
TARGET = re.compile(
    r"arn:[a-z-]+:(?P<service>sqs|sns|lambda|events):(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_.:/$-]+"
)
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
REMOTE_NAME = re.compile(r"[A-Za-z0-9-_]{1,64}")
TAG_NAME = re.compile(r"[\w .:/=+\-@]{1,128}")
DEAD_LETTERS, DESTINATIONS = ("sqs", "sns"), ("sqs", "sns", "lambda", "events")
OWN_TAGS = ("aws:", "portal:")
MOST_TAGS = 40


def wrong(field: str, words: str | Promise, **names: object) -> ValidationError:
    """The error at one field."""
    return ValidationError({field: words % names if names else words})


def require_feature(account: AwsAccount, feature: Feature, field: str) -> None:
    """Raises ValidationError where an account is not used for this: its role has no right to it."""
    if feature.value not in account.features:
        words = _("“%(feature)s” is not switched on for %(account)s. Ask an administrator of the portal.")
        raise wrong(field, words, feature=feature.label, account=account)


def clean_runtime(name: str) -> str:
    """One that Lambda has, and that is not closed."""
    runtime = RUNTIMES.get(name)
    today = timezone.now().date()
    choices = ", ".join(one.name for one in offered(today)[:6])
    if runtime is None:
        raise wrong(
            "runtime",
            _("There is no runtime %(name)s. Choose one, such as %(all)s."),
            name=name[:40],
            all=choices,
        )
    if runtime.closed:
        words = _(
            "AWS makes and changes no functions with %(name)s any more (it ended %(date)s). Choose another, such as"
            " %(all)s."
        )
        raise wrong("runtime", words, name=name, date=runtime.ends.isoformat(), all=choices)
    return name


def clean_layers(layers: Iterable[str], region: str) -> list[str]:
    """At most five, each of another layer, of the function's Region."""
    found = [one.strip() for one in layers if one.strip()]
    if len(found) > QUOTAS["layers"].number:
        raise wrong(
            "layers",
            _("A function has at most %(most)s layers. Leave some out."),
            most=QUOTAS["layers"].number,
        )
    for arn in found:
        match = LAYER.fullmatch(arn)
        if match is None or match["region"] != region:
            words = _(
                "%(arn)s is no version of a layer in %(region)s. Write arn:aws:lambda:%(region)s:…:layer:name:1."
            )
            raise wrong("layers", words, arn=arn[:100], region=region)
    if len({arn.rpartition(":")[0] for arn in found}) < len(found):
        raise wrong("layers", _("A layer is named twice. Keep one version of it."))
    return found


def clean_network(subnets: Iterable[str], groups: Iterable[str]) -> tuple[list[str], list[str]]:
    """Both or none."""
    nets, guards = (
        list(dict.fromkeys(one.strip() for one in many if one.strip())) for many in (subnets, groups)
    )
    for field, names, pattern, form in (
        ("subnets", nets, SUBNET, "subnet-0a1b2c3d"),
        ("security_groups", guards, GROUP, "sg-0a1b2c3d"),
    ):
        for name in names:
            if not pattern.fullmatch(name):
                raise wrong(field, _("%(name)s has not the form %(form)s."), name=name[:60], form=form)
    if bool(nets) != bool(guards):
        field = "security_groups" if nets else "subnets"
        raise wrong(field, _("A VPC needs subnets and security groups. Name both, or neither."))
    return nets, guards


def clean_target(arn: str, field: str, services: tuple[str, ...]) -> str:
    """A queue, topic, function or bus; empty for none."""
    arn = arn.strip()
    match = TARGET.fullmatch(arn)
    if arn and (match is None or match["service"] not in services):
        words = _(
            "Write the ARN of one of: %(services)s; such as arn:aws:sqs:eu-central-1:111122223333:name."
        )
        raise wrong(field, words, services=", ".join(services))
    return arn


def clean_image(uri: str, region: str) -> str:
    """An image of ECR in the function's Region, with a tag or digest."""
    uri = uri.strip()
    match = IMAGE.fullmatch(uri)
    if match is None or match["region"] != region:
        words = _(
            "Write where an image is in ECR, such as 111122223333.dkr.ecr.%(region)s.amazonaws.com/name:tag."
        )
        raise wrong("image_uri", words, region=region)
    return uri


def clean_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Names as Lambda takes them, and no more than it takes. What is said never repeats a value."""
    for name in values:
        if not VARIABLE.fullmatch(name):
            words = _(
                "%(name)s is no name of a variable. Write letters, digits and underscores, a letter first."
            )
            raise wrong("environment", words, name=name[:60])
        if name in RESERVED_ENVIRONMENT:
            raise wrong("environment", _("%(name)s is AWS's own. Choose another name."), name=name)
    size, most = (
        len(json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()),
        QUOTAS["environment_bytes"].number,
    )
    if size > most:
        words = _(
            "The environment has %(size)s bytes in all, AWS takes %(most)s. Keep long values in Secrets Manager or S3."
        )
        raise wrong("environment", words, size=size, most=most)
    return dict(values)


def clean_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The team's own; those of AWS and of the portal are not given here."""
    if len(tags) > MOST_TAGS:
        raise wrong("tags", _("At most %(most)s tags. Leave some out."), most=MOST_TAGS)
    for name, value in tags.items():
        if not TAG_NAME.fullmatch(name) or name.lower().startswith(OWN_TAGS) or len(value) > 256:
            words = _(
                "%(name)s is no tag of yours: 1 to 128 characters, not beginning with aws: or portal:, value up to 256."
            )
            raise wrong("tags", words, name=name[:60])
    return dict(tags)


def clean_remote_name(name: str) -> str:
    """A function's name in AWS; an ARN is cut to it."""
    name = name.strip().rpartition(":function:")[2].partition(":")[0]
    if not REMOTE_NAME.fullmatch(name):
        raise wrong(
            "remote_name", _("Write the function's name as in AWS: letters, digits, dashes, underscores.")
        )
    return name
