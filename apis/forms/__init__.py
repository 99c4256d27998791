"""What people type about APIs, checked before an action is called."""

from apis.forms.apis import ApiCreateForm, ApiSettingsForm, ShareForm
from apis.forms.catalogue import CatalogueForm
from apis.forms.environments import EnvironmentForm
from apis.forms.errors import add_errors
from apis.forms.plans import PlanForm
from apis.forms.prompts import BodyLogForm, OfferPromptForm, PromptLabelForm
from apis.forms.specs import SpecForm
from apis.forms.upstreams import BindingForm, ChooseUpstreamForm, NewUpstreamForm
from apis.forms.versions import DeprecateForm, NoteForm

__all__ = [
    "ApiCreateForm",
    "ApiSettingsForm",
    "BindingForm",
    "BodyLogForm",
    "CatalogueForm",
    "ChooseUpstreamForm",
    "DeprecateForm",
    "EnvironmentForm",
    "NewUpstreamForm",
    "NoteForm",
    "OfferPromptForm",
    "PlanForm",
    "PromptLabelForm",
    "ShareForm",
    "SpecForm",
    "add_errors",
]
