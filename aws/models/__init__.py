"""The AWS accounts that the platform is connected to, the proofs that it is, and the functions of teams in them."""

from aws.models.account import AwsAccount, AwsAccountQuerySet, Feature
from aws.models.function import FunctionCode, LambdaFunction, LambdaFunctionQuerySet
from aws.models.proof import AccountProof, AccountProofQuerySet, Outcome
from aws.models.push import FunctionPush, FunctionPushQuerySet, FunctionPushStep
from aws.models.release import (
    FunctionAlias,
    FunctionAliasQuerySet,
    FunctionVersion,
    FunctionVersionQuerySet,
)

__all__ = [
    "AccountProof",
    "AccountProofQuerySet",
    "AwsAccount",
    "AwsAccountQuerySet",
    "Feature",
    "FunctionAlias",
    "FunctionAliasQuerySet",
    "FunctionCode",
    "FunctionPush",
    "FunctionPushQuerySet",
    "FunctionPushStep",
    "FunctionVersion",
    "FunctionVersionQuerySet",
    "LambdaFunction",
    "LambdaFunctionQuerySet",
    "Outcome",
]
