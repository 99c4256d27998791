"""What was made at a vendor: the memory of gateways that remember nothing for us."""

from __future__ import annotations

from django.db import models

from gateways.models.gateway import Gateway


class RemoteObject(models.Model):
    """One thing that a driver holds at a vendor, by the driver's own words.

    `sort` and `name` are the driver's (`stage`, `pub_1`); the sort `object` is for neutral objects in force, named as
    `kind/id`. `value` is JSON without secrets: ids at the vendor and how far something has come. A row is written
    before the call that makes something and again after it, each committed by itself.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="remote_objects")
    sort = models.CharField(max_length=24)
    name = models.CharField(max_length=120)
    value = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["gateway", "sort", "name"]
        constraints = [models.UniqueConstraint(fields=["gateway", "sort", "name"], name="remote_object_once")]

    def __str__(self) -> str:
        return f"{self.sort} {self.name} on {self.gateway}"
