"""What the OpenAPI document of the REST API says beside what the code gives by itself."""

from __future__ import annotations

import inspect
import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes

DEEDS = {
    "list": "List",
    "retrieve": "Read",
    "create": "Create",
    "partial_update": "Change",
    "update": "Replace",
    "destroy": "Remove",
}


class SummedUpSchema(AutoSchema):
    """Gives each operation a summary: the first sentence of its docstring, or deed and noun."""

    def get_summary(self) -> str | None:
        action = getattr(self.view, "action", "") or ""
        own = inspect.getdoc(getattr(type(self.view), action, None)) if action else None
        if own:
            return own.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
        model = getattr(self.view, "model", None)
        if action not in DEEDS or model is None:
            return super().get_summary()
        noun = model._meta.verbose_name_plural if action == "list" else model._meta.verbose_name
        return f"{DEEDS[action]} {re.sub(r'\bapi(s?)\b', r'API\1', str(noun))}"


def library_classes() -> list[type[Any]]:
    """Classes whose docstrings are for those who write resources, not for those who call them."""
    from teams.access import ResourceViewSet  # DRF reads this module's settings while it is itself loading

    library = get_lib_doc_excludes()  # type: ignore[no-untyped-call]
    return [*library, *ResourceViewSet.__mro__]
