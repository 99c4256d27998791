"""What is entered for an account, as it is kept. Each raises ValidationError that says what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from aws.client.regions import known_regions, nearest, partition_of
from aws.models import Feature
from aws.policies.names import NUMBER, ROLE_ARN
from aws.policies.statements import NEEDS

MOST_REGIONS = 12


def cleaned(**values: tuple[Callable[..., Any], *tuple[Any, ...]]) -> dict[str, Any]:
    """Each value as its function cleans it, by name. Raises one ValidationError with all that is wrong."""
    found: dict[str, Any] = {}
    wrong: dict[str, list[ValidationError]] = {}
    for name, (clean, *given) in values.items():
        try:
            found[name] = clean(*given)
        except ValidationError as error:
            wrong.update(error.error_dict)
    if wrong:
        raise ValidationError(wrong)
    return found


def clean_number(number: str) -> str:
    """Twelve digits; the dashes with which AWS shows them are left out."""
    number = number.strip().replace("-", "").replace(" ", "")
    if not (number.isascii() and NUMBER.fullmatch(number)):
        raise ValidationError(
            {
                "number": _(
                    "An account number has 12 digits, such as 1111-2222-3333. Copy it from the console."
                )
            }
        )
    return number


def clean_regions(regions: Iterable[str]) -> list[str]:
    """Regions that exist, all of one partition, each once, in the order given."""
    wanted = list(dict.fromkeys(region.strip().lower() for region in regions if region.strip()))
    if not 1 <= len(wanted) <= MOST_REGIONS:
        raise ValidationError(
            {"regions": _("Name 1 to %(most)s Regions, such as eu-central-1.") % {"most": MOST_REGIONS}}
        )
    unknown = [region for region in wanted if region not in known_regions()]
    if unknown:
        raise ValidationError({"regions": _unknown(unknown[0])})
    if len({partition_of(region) for region in wanted}) > 1:
        raise ValidationError(
            {"regions": _("China, GovCloud and the other Regions need an account each. Connect them apart.")}
        )
    return wanted


def _unknown(region: str) -> str:
    meant = nearest(region)
    if meant:
        words = _("There is no Region %(region)s with API Gateway. Do you mean %(meant)s?")
        return words % {"region": region[:40], "meant": meant}
    return _("There is no Region %(region)s with API Gateway. Write it like eu-central-1.") % {
        "region": region[:40]
    }


def clean_features(features: Sequence[str]) -> list[str]:
    """Known ones, in the order of `Feature`, each with the one that it needs."""
    wanted = set(features)
    unknown = sorted(wanted - set(Feature.values))
    if unknown or not wanted:
        raise ValidationError(
            {"features": _("Choose at least one of: %(all)s.") % {"all": ", ".join(Feature.values)}}
        )
    for feature, needed in NEEDS.items():
        if feature in wanted and needed not in wanted:
            words = _("“%(feature)s” needs “%(needed)s”. Switch that on too.")
            raise ValidationError(
                {"features": words % {"feature": Feature(feature).label, "needed": Feature(needed).label}}
            )
    return [value for value in Feature.values if value in wanted]


def clean_role(role_arn: str, number: str) -> str:
    """The ARN of a role in that account."""
    role_arn = role_arn.strip()
    found = ROLE_ARN.fullmatch(role_arn)
    if not (found and role_arn.isascii()):
        raise ValidationError(
            {
                "role_arn": _(
                    "Write the ARN of a role, such as arn:aws:iam::111122223333:role/gatehouse-portal."
                )
            }
        )
    if found["number"] != number:
        words = _(
            "This role is in account %(other)s, the account to connect is %(number)s. Correct one of them."
        )
        raise ValidationError({"role_arn": words % {"other": found["number"], "number": number}})
    return role_arn


def clean_endpoint(url: str) -> str:
    """Empty for AWS itself, else one of the simulated ones that the settings name."""
    url = url.strip().rstrip("/")
    if url and url not in [allowed.rstrip("/") for allowed in settings.AWS_SIMULATED]:
        raise ValidationError(
            {
                "endpoint_url": _(
                    "Only a simulated AWS that GATEHOUSE_SIMULATED_AWS_URL names may be connected."
                    " Leave it empty for AWS."
                )
            }
        )
    return url
