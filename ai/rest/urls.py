"""Routes of AI below `api/v1/`."""

from ai.rest.prompts import PROMPT_URLS

urlpatterns = [*PROMPT_URLS]
