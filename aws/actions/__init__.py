"""Every write of AWS accounts and of functions in them."""

from aws.actions.accounts import (
    AccountValues,
    change_account,
    connect_account,
    renew_external_id,
    retire_account,
)
from aws.actions.functions import (
    FunctionValues,
    Place,
    adopt_function,
    change_function,
    create_function,
    delete_function,
    set_reserved,
    upload_code,
    uses_of,
)
from aws.actions.proving import ask_proof, carry_out_proof, overdue_proofs
from aws.actions.pushing import carry_out_push, overdue_pushes, push_again
from aws.actions.releases import (
    prunable,
    prune_versions,
    publish_version,
    remove_alias,
    roll_back_alias,
    set_alias,
    set_provisioned,
)

__all__ = [
    "AccountValues",
    "FunctionValues",
    "Place",
    "adopt_function",
    "ask_proof",
    "carry_out_proof",
    "carry_out_push",
    "change_account",
    "change_function",
    "connect_account",
    "create_function",
    "delete_function",
    "overdue_proofs",
    "overdue_pushes",
    "prunable",
    "prune_versions",
    "publish_version",
    "push_again",
    "remove_alias",
    "renew_external_id",
    "retire_account",
    "roll_back_alias",
    "set_alias",
    "set_provisioned",
    "set_reserved",
    "upload_code",
    "uses_of",
]
