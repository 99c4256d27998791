"""Proving an account: the portal can work in it, and nobody else by its role. Asked for here, carried out by a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.sealing import SealBroken
from aws.actions.accounts import locked_account
from aws.client.buckets import Priority
from aws.client.errors import AwsError, Denied, Lost, MustWait, NoCredentials, Throttled, Unreachable
from aws.client.proof import proves_external_id
from aws.connections import account_of, calls_for
from aws.denials import words_of_denial
from aws.looking import Used, read_quotas
from aws.models import AccountProof, AwsAccount, Outcome
from teams.bell import ring
from teams.models import SYSTEM, Actor

TASK = "aws.tasks.prove_account"
ALIVE = timedelta(seconds=90)
"""A look that wrote nothing for so long has lost its worker: no single call takes longer."""
MOST_TIME = timedelta(minutes=15)
RESUME_S = 5.0
"""At least so long a look rests that met a limit: the burst is full again, and the longest list fits into it."""
PASSING = (Lost, MustWait, Throttled, Unreachable)
"""Says nothing about the account itself."""
IDENTITY, EXTERNAL_ID = "identity", "external_id"


@transaction.atomic
def ask_proof(account: AwsAccount, *, actor: Actor) -> AccountProof:
    """Ask for a look at the account; one that is under way already is given back.

    Raises PermissionDenied, and ActionRefused for a retired account.
    """
    account = locked_account(account, actor)
    running = AccountProof.objects.unfinished().filter(account=account).first()
    if running is not None:
        return running
    proof = AccountProof(
        account=account,
        asked_by=actor.label[:200],
        regions=account.regions,
        features=account.features,
    )
    proof.full_clean(exclude=["finished_at"])
    proof.save()
    record_event("aws_account.proof_asked", account, actor=actor, after={"proof": proof.public_id})
    ring(TASK, proof.pk)
    return proof


def carry_out_proof(proof_id: int) -> float | None:
    """Look at the account of a queued proof and end it. Gives the seconds to wait when a limit of AWS was met.

    What was found before is kept. A look that another worker is at, or that is over, is left alone (None).
    """
    proof = _begun(proof_id)
    if proof is None:
        return None
    try:
        return _look(proof)
    except SealBroken:
        words = _("The external id cannot be opened with the master keys that are configured. Renew it.")
        _end(proof, AccountProof.State.REFUSED, [_finding(IDENTITY, Outcome.BAD, words)])
    return None


def overdue_proofs() -> list[int]:
    """Proofs whose bell was lost or whose worker died; those that take too long are ended."""
    now, open_ones = timezone.now(), AccountProof.objects.unfinished()
    for proof in open_ones.filter(created_at__lt=now - MOST_TIME):
        minutes = MOST_TIME.seconds // 60
        words = _("It took longer than %(minutes)s minutes.") % {"minutes": minutes}
        _end(proof, AccountProof.State.BROKEN, [_finding(IDENTITY, Outcome.BAD, words)])
    silent = open_ones.filter(updated_at__lt=now - ALIVE)
    return list(silent.order_by("pk").values_list("pk", flat=True)[:20])


def _look(proof: AccountProof) -> float | None:
    try:
        if not all(step() for step in _steps(proof)):
            return None  # it was ended meanwhile
    except NoCredentials as error:
        _end(proof, AccountProof.State.REFUSED, [_finding(IDENTITY, Outcome.BAD, error.message)])
    except (MustWait, Throttled) as error:
        return _rest(proof, error)
    except PASSING as error:
        _end(proof, AccountProof.State.BROKEN, [_finding(IDENTITY, Outcome.BAD, error.message)])
    else:
        _end(proof, _verdict(proof), [])
    return None


def _steps(proof: AccountProof) -> Iterator[Callable[[], bool]]:
    """What is still to be looked at; each step says whether anybody still waits for it."""
    if not _has(proof, IDENTITY):
        yield partial(_look_at_role, proof)
    yield from (
        partial(_look_at_region, proof, region) for region in proof.regions if not _has(proof, region)
    )


def _look_at_role(proof: AccountProof) -> bool:
    """Raises NoCredentials when the portal cannot enter, or enters another account."""
    account = proof.account
    found = proves_external_id(account_of(account))
    words = _("The portal works as %(arn)s in account %(number)s.")
    said = [_finding(IDENTITY, Outcome.GOOD, words % {"arn": found.arn, "number": found.number})]
    if account.is_ambient:
        words = _("It enters with its own credentials: there is no role that others could enter by.")
        said.append(_finding(EXTERNAL_ID, Outcome.GOOD, words))
    elif found.is_proven:
        words = _("AWS refuses the role without the external id, and with another one.")
        said.append(_finding(EXTERNAL_ID, Outcome.GOOD, words))
    said += [_finding(EXTERNAL_ID, Outcome.WARNING, one) for one in found.warnings if not account.is_ambient]
    proof.identity = found.arn[:600]
    return _keep(proof, said)


def _look_at_region(proof: AccountProof, region: str) -> bool:
    calls = calls_for(
        proof.account, who=f"prove {proof.account.slug}", region=region, priority=Priority.INTERACTIVE
    )
    known = [row for row in proof.quotas if row["region"] != region]
    used: list[Used] = []
    try:
        calls.call("sts", "GetCallerIdentity")  # a Region that the account has not enabled refuses this
        used += read_quotas(calls, proof.features)
        said = _finding(region, Outcome.GOOD, _("%(region)s answers.") % {"region": region})
    except NoCredentials as error:
        words = _("%(region)s does not let the account in. Enable the Region in AWS, or take it out. %(why)s")
        said = _finding(region, Outcome.WARNING, words % {"region": region, "why": error.message})
    except Denied as error:
        said = _finding(region, Outcome.WARNING, f"{region}: {words_of_denial(error, proof.account)}")
    except AwsError as error:
        if isinstance(error, PASSING):
            raise
        said = _finding(region, Outcome.WARNING, f"{region}: {error.message}")
    proof.quotas = [*known, *(one.plain() for one in used)]
    return _keep(proof, [said])


def _has(proof: AccountProof, check: str) -> bool:
    return any(finding["check"] == check for finding in proof.findings)


def _verdict(proof: AccountProof) -> AccountProof.State:
    outcomes = {finding["outcome"] for finding in proof.findings}
    if Outcome.BAD in outcomes:
        return AccountProof.State.REFUSED
    return AccountProof.State.WARNED if Outcome.WARNING in outcomes else AccountProof.State.PROVEN


@transaction.atomic
def _begun(proof_id: int) -> AccountProof | None:
    """The proof, marked as running; None when it is over or somebody is at it."""
    found = AccountProof.objects.select_for_update(of=("self",)).select_related("account")
    proof = found.filter(pk=proof_id).first()
    if proof is None or proof.is_over:
        return None
    if proof.state == AccountProof.State.RUNNING and timezone.now() - proof.updated_at < ALIVE:
        return None
    proof.state, proof.waits_on = AccountProof.State.RUNNING, ""
    proof.save()
    return proof


@transaction.atomic
def _keep(proof: AccountProof, said: Iterable[Mapping[str, Any]]) -> bool:
    """Write down what was found so far; False when the proof was ended meanwhile."""
    if _locked(proof).is_over:
        return False
    proof.findings = [*proof.findings, *said]
    proof.save(update_fields=["findings", "quotas", "identity"])
    return True


@transaction.atomic
def _rest(proof: AccountProof, error: AwsError) -> float:
    """Put a look that met a limit back into the queue; the seconds until it goes on."""
    seconds = max(error.retry_in_s or 0.0, RESUME_S)
    if not _locked(proof).is_over:
        proof.state, proof.waits_on = AccountProof.State.QUEUED, error.message[:200]
        proof.save(update_fields=["state", "waits_on"])
    return seconds


@transaction.atomic
def _end(proof: AccountProof, state: AccountProof.State, said: list[Mapping[str, Any]]) -> None:
    """End the proof, and let the account's state follow it. One that was ended meanwhile stays as it is."""
    account = AwsAccount.objects.select_for_update().get(pk=proof.account_id)
    if _locked(proof).is_over:
        return
    proof.findings = [*proof.findings, *said]
    proof.state, proof.waits_on, proof.finished_at = state, "", timezone.now()
    proof.save()
    before = {"state": str(account.state)}
    moved = _state_after(proof)
    if moved is not None and account.state != moved and account.may_move_to(moved):
        account.move_to(moved)
        account.save()
    after = {"state": str(account.state), "proof": proof.public_id, "outcome": str(state)}
    record_event("aws_account.proof_ended", account, actor=SYSTEM, before=before, after=after)


def _state_after(proof: AccountProof) -> AwsAccount.State | None:
    """What the account becomes; None where the look says nothing about it."""
    if proof.state == AccountProof.State.BROKEN:
        return None
    refused = proof.state == AccountProof.State.REFUSED
    return AwsAccount.State.REFUSED if refused else AwsAccount.State.CONNECTED


def _locked(proof: AccountProof) -> AccountProof:
    return AccountProof.objects.select_for_update(of=("self",)).get(pk=proof.pk)


def _finding(check: str, outcome: Outcome, words: str) -> dict[str, str]:
    return {"check": check, "outcome": outcome.value, "words": words[:1000]}
