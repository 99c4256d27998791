"""The Regions that there are, by botocore's own table (no call is made)."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

import botocore.session

SERVICE = "apigatewayv2"
"""Where this is not offered, the portal has nothing to do."""


@cache
def known_regions() -> tuple[str, ...]:
    """Every Region with API Gateway, of all partitions, by name."""
    session = botocore.session.get_session()
    found = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(SERVICE, partition_name=partition)
    }
    return tuple(sorted(found))


@cache
def partition_of(region: str) -> str:
    """`aws`, `aws-cn`, ... Raises botocore.exceptions.UnknownRegionError."""
    return str(botocore.session.get_session().get_partition_for_region(region))


def nearest(region: str) -> str:
    """The Region that was probably meant, or ""."""
    return next(iter(get_close_matches(region, known_regions(), n=1, cutoff=0.6)), "")
