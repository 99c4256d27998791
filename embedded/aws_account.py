"""The account that the simulated AWS of the demo holds: who Gatehouse is in it.

On AWS the root of an account may assume no role, and so it is here. Gatehouse calls as a user who may do that
alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from embedded.aws_server import REGION, Principal, kept_principal
from embedded.failure import CannotRun
from embedded.keyring import write_private

USER = "gatehouse"
MAY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*"}],
}
ONCE = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})


def client_of(principal: Principal, service: str, url: str) -> Any:
    """A client of `service` at the simulated AWS."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=principal.key,
        aws_secret_access_key=principal.secret,
        config=ONCE,
    )


def prepare_principal(url: str, root: str, path: Path) -> None:
    """Make sure that the key in `path` is one of the user of Gatehouse; `root` is the root's key. Raises CannotRun."""
    try:
        if not _works(url, kept_principal(path)):
            write_private(path, json.dumps(asdict(_fresh_principal(url, root))))
    except (BotoCoreError, ClientError) as error:
        raise CannotRun(
            f"The simulated AWS refuses Gatehouse: {error}. Run `make reset` if it stays so."
        ) from error


def _works(url: str, principal: Principal | None) -> bool:
    if principal is None:
        return False
    try:
        client_of(principal, "sts", url).get_caller_identity()
    except ClientError:
        return False
    return True


def _fresh_principal(url: str, root: str) -> Principal:
    iam = client_of(Principal(root, root), "iam", url)
    try:
        iam.create_user(UserName=USER)
    except iam.exceptions.EntityAlreadyExistsException:
        for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    iam.put_user_policy(UserName=USER, PolicyName="assume-roles", PolicyDocument=json.dumps(MAY))
    made = iam.create_access_key(UserName=USER)["AccessKey"]
    return Principal(made["AccessKeyId"], made["SecretAccessKey"])
