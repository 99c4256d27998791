"""Every write to what is published. Other apps import from here."""

from apis.actions.apis import begin_api, change_api, create_api, share_api, unshare_api
from apis.actions.environments import change_environment, create_environment
from apis.actions.plans import (
    change_plan,
    close_plan,
    create_plan,
    deprecate_plan,
    publish_plan,
)
from apis.actions.prompts import describe_anew, offer_prompt
from apis.actions.revisions import freeze_revision
from apis.actions.specs import SpecNotAccepted, import_spec, read_document
from apis.actions.upstreams import (
    BindingValues,
    choose_upstream,
    create_ai_upstream,
    create_upstream,
    give_upstream,
    set_binding,
    set_body_logging,
    set_prompt_label,
)
from apis.actions.versions import (
    create_version,
    deprecate_version,
    publish_version,
    reinstate_version,
    retire_sunset_versions,
    retire_version,
)
from apis.models import PlanLimits

__all__ = [
    "BindingValues",
    "PlanLimits",
    "SpecNotAccepted",
    "begin_api",
    "change_api",
    "change_environment",
    "change_plan",
    "choose_upstream",
    "close_plan",
    "create_ai_upstream",
    "create_api",
    "create_environment",
    "create_plan",
    "create_upstream",
    "create_version",
    "deprecate_plan",
    "deprecate_version",
    "describe_anew",
    "freeze_revision",
    "give_upstream",
    "import_spec",
    "offer_prompt",
    "publish_plan",
    "publish_version",
    "read_document",
    "reinstate_version",
    "retire_sunset_versions",
    "retire_version",
    "set_binding",
    "set_body_logging",
    "set_prompt_label",
    "share_api",
    "unshare_api",
]
