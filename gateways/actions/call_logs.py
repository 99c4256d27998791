"""Seeing that calls at AWS are logged, beside the pushes and never in their way."""

from __future__ import annotations

from aws.client.buckets import Priority
from gateways.actions.lease import kept, release_lease, take_lease
from gateways.connections import driver_for
from gateways.drivers.aws.driver import AwsDriver
from gateways.models import Gateway


def keep_call_logs(gateway: Gateway) -> bool:
    """Switch logs of stages on or off, as the account's features say; False while a push holds the gateway.

    Raises aws.client.errors.AwsError for what has to wait, audit.sealing.SealBroken.
    """
    lease = take_lease(gateway.pk)
    if lease is None:
        return False
    try:
        with kept(lease):
            driver = driver_for(gateway, priority=Priority.USAGE)
            if isinstance(driver, AwsDriver):
                driver.keep_logs()
    finally:
        release_lease(lease)
    return True
