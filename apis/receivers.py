"""What the AI app asks of the catalogue."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from ai.models import Prompt
from ai.signals import label_asked
from apis.models import ApiVersion


@receiver(label_asked)
def apis_offered_by(prompt: Prompt, name: str, **_kwargs: Any) -> str:
    """The APIs whose document was made of the interface that the label has."""
    bound = ApiVersion.objects.filter(
        revisions__upstream__prompt=prompt, revisions__upstream__bindings__prompt_label=name
    )
    found = bound.exclude(state=ApiVersion.State.RETIRED).select_related("api__team").distinct()
    return ", ".join(str(version) for version in found.order_by("api__name", "major"))
