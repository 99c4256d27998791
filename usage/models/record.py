"""One call."""

from __future__ import annotations

from django.db import models


class UsageRecord(models.Model):
    """One call as the gateway's feed told it. The table is partitioned by day of `at` (see the migration).

    Identity is the place in the feed: (feed, offset, at). Objects are named by public id and not by foreign
    key: a record outlives nothing and joins nothing, it is counted. Times are ms, sizes bytes.

    Revision and plan are those in force when the call was taken in, some seconds after it: gateways do not say
    which revision answered, and a call around a publish may bear the newer one.
    """

    pk = models.CompositePrimaryKey("feed", "offset", "at")
    feed = models.BigIntegerField()
    offset = models.BigIntegerField()
    at = models.DateTimeField()
    gateway = models.CharField(max_length=40)
    node = models.CharField(max_length=80)
    environment = models.CharField(max_length=40)
    api = models.CharField(max_length=40)
    api_version = models.CharField(max_length=40)
    revision = models.CharField(max_length=40)
    operation = models.CharField(max_length=300)
    application = models.CharField(max_length=40)
    subscription = models.CharField(max_length=40)
    plan = models.CharField(max_length=40)
    key_id = models.CharField(max_length=16)
    method = models.CharField(max_length=16)
    path = models.CharField(max_length=1000)
    status = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=80)
    duration_ms = models.FloatField()
    upstream_ms = models.FloatField(null=True)
    bytes_in = models.BigIntegerField()
    bytes_out = models.BigIntegerField()
    request_id = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "usage_usagerecord"

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"
