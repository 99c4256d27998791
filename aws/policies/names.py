"""How things of ours are called in an account: what policies allow, and what every creation must keep to.

`prefix` is the AwsAccount's, fixed when it was connected. Tags: AWS.md names them ownership marks; without our
`TAG` and value nothing is changed. Sources: IAM reference of identifiers, Lambda naming (64 characters).
"""

from __future__ import annotations

import re

TAG = "portal:instance"
"""The ownership tag; its value is the account's prefix."""
ROLE_PATH = "/portal/"
"""Of the roles that the portal makes for functions and integrations."""
PREFIX = re.compile(r"[a-z][a-z0-9]{1,15}")
"""No dash: what begins with `house-` must not take in what another installation calls `house-test-...`."""

REGION = re.compile(r"[a-z]{2,3}(-[a-z]+){1,2}-[0-9]{1,2}")
NUMBER = re.compile(r"[0-9]{12}")
ROLE_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):iam::(?P<number>[0-9]{12}):role/(?P<name>[\w+=,.@/-]{1,512})"
)
PRINCIPAL_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:(root|(role|user)/[\w+=,.@/-]{1,512})"
)


def portal_role(prefix: str) -> str:
    """The name of the role that the portal assumes. It lies outside ROLE_PATH, so that the portal cannot edit it."""
    return f"{prefix}-portal"


def portal_role_arn(prefix: str, number: str, partition: str = "aws") -> str:
    """The ARN that the template of this account makes."""
    return f"arn:{partition}:iam::{number}:role/{portal_role(prefix)}"


def boundary(prefix: str) -> str:
    """The name of the managed policy that bounds every role that the portal makes."""
    return f"{prefix}-boundary"


def boundary_arn(prefix: str, number: str, partition: str = "aws") -> str:
    """The ARN of the boundary, which every CreateRole has to name."""
    return f"arn:{partition}:iam::{number}:policy/{boundary(prefix)}"


def function_name(prefix: str, name: str) -> str:
    """The name of a function made by the portal."""
    return f"{prefix}-{name}"[:64]


def role_name(prefix: str, name: str) -> str:
    """The name of a role made by the portal, below ROLE_PATH."""
    return f"{prefix}-{name}"[:64]


def log_group(prefix: str, name: str) -> str:
    """The log group of what callers did, for an API."""
    return f"/portal/{prefix}/{name}"
