"""Which master key each stored secret needs, and sealing anew what an older one holds (`manage.py master_keys`).

A key is replaced without a pause: add one with a higher number, restart every process, seal anew, take the old one
out when nothing needs it. Source: NIST SP 800-57 part 1, section 5.3 (cryptoperiods).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import BinaryField, Count, Model
from django.db.models.functions import Substr

from ai.keys import open_value, put_value
from ai.models import ProviderKey
from audit.sealing import current_key
from aws.environments import open_environment, put_environment
from aws.external_ids import open_external_id, put_external_id
from aws.models import AwsAccount, LambdaFunction
from gateways.models import Gateway
from gateways.tokens import open_token, put_token
from subscriptions.keys import key_digest, open_key, seal_key
from subscriptions.models import Credential
from teams.models import ApiToken, IdempotentAnswer, Invitation


@dataclass(frozen=True, slots=True)
class Secrets:
    """One table of secrets.

    `column` holds sealed values or the numbers of their master keys. `renew` gives the columns of a row anew; without
    it nobody knows the values any more, and the rows end by themselves: `ends` says when.
    """

    model: type[Model]
    column: str
    renew: Callable[[Any], dict[str, Any]] | None = None
    ends: str = ""

    @property
    def name(self) -> str:
        return str(self.model._meta.verbose_name_plural)


def _of_credential(row: Credential) -> dict[str, Any]:
    value = open_key(row.sealed, row.public_id)
    digest, number = key_digest(value)
    return {"sealed": seal_key(value, row.public_id), "digest": digest, "digest_key": number}


def _of_gateway(row: Gateway) -> dict[str, Any]:
    put_token(row, open_token(row))
    return {name: getattr(row, name) for name in ("token_sealed", "token_digest", "token_digest_key")}


def _of_provider_key(row: ProviderKey) -> dict[str, Any]:
    put_value(row, open_value(row))
    return {"sealed": row.sealed}


def _of_aws_account(row: AwsAccount) -> dict[str, Any]:
    made_at = row.external_id_made_at
    put_external_id(row, open_external_id(row))
    return {"external_id_sealed": row.external_id_sealed, "external_id_made_at": made_at}


def _of_function(row: LambdaFunction) -> dict[str, Any]:
    put_environment(row, open_environment(row))
    return {"environment_sealed": row.environment_sealed}


SECRETS = (
    Secrets(Credential, "sealed", _of_credential),
    Secrets(Gateway, "token_sealed", _of_gateway),
    Secrets(ProviderKey, "sealed", _of_provider_key),
    Secrets(AwsAccount, "external_id_sealed", _of_aws_account),
    Secrets(LambdaFunction, "environment_sealed", _of_function),
    Secrets(ApiToken, "digest_key", ends="when they are revoked or expire"),
    Secrets(Invitation, "digest_key", ends="when they are accepted, withdrawn or expire"),
    Secrets(IdempotentAnswer, "body", ends="after a day"),
)


def needs() -> Iterator[tuple[Secrets, Counter[int]]]:
    """Each table with the number of rows that need each master key."""
    for kind in SECRETS:
        yield kind, _counted(kind)


def seal_anew() -> int:
    """Seal everything that an older key holds under the newest one; how many rows were written.

    A row that somebody else wrote meanwhile is left as it then is. Raises audit.sealing.SealBroken.
    """
    return sum(_renewed(kind, kind.renew) for kind in SECRETS if kind.renew)


def _counted(kind: Secrets) -> Counter[int]:
    rows = kind.model._base_manager.all()
    if not _is_sealed(kind):
        found = rows.values_list(kind.column).annotate(rows=Count("pk")).order_by()
        return Counter(dict(found))
    begin = Substr(kind.column, 1, 2, output_field=BinaryField())
    found = rows.exclude(**{kind.column: b""}).annotate(sealed_with=begin).values_list("sealed_with")
    counts = found.annotate(rows=Count("pk")).order_by()
    return Counter({int.from_bytes(bytes(prefix), "big"): count for prefix, count in counts})


def _renewed(kind: Secrets, renew: Callable[[Any], dict[str, Any]]) -> int:
    written = 0
    for row in kind.model._base_manager.exclude(**{kind.column: b""}).order_by("pk").iterator():
        sealed = bytes(getattr(row, kind.column))
        if int.from_bytes(sealed[:2], "big") != current_key():
            unchanged = kind.model._base_manager.filter(pk=row.pk, **{kind.column: sealed})
            written += unchanged.update(**renew(row))
    return written


def _is_sealed(kind: Secrets) -> bool:
    return isinstance(kind.model._meta.get_field(kind.column), BinaryField)
