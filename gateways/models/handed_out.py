"""What this portal gave its gateways: the memory by which a restored database is found out."""

from __future__ import annotations

from django.db import models

from gateways.models.gateway import Gateway


class HandedOut(models.Model):
    """One configuration that was pushed to a gateway's nodes or fetched by them. Written before it goes out.

    A node that holds a number and digest which stand in no row got them from a database that knew more
    than this one: it was restored from a backup, or lost its last transactions in a failover.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="handed_out")
    version = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gateway", "version", "digest"], name="handed_out_once")
        ]

    def __str__(self) -> str:
        return f"{self.gateway} #{self.version}"
