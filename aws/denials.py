"""What to do when AWS denies a call: which right is missing, and how the account gets it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from aws.client.errors import Denied
from aws.models import AwsAccount, Feature
from aws.policies.needed import needed_for


def words_of_denial(error: Denied, account: AwsAccount) -> str:
    """One or two sentences for people: the action that is missing, and where it comes from."""
    needed = needed_for(error.service, error.operation)
    names = {"action": error.action or needed.action, "operation": error.operation}
    if not needed.is_asked_for:
        words = _("AWS denies %(action)s (%(operation)s), which the portal does not ask for anywhere.")
        return words % names
    if needed.feature is None or needed.feature.value in account.features:
        words = _(
            "AWS denies %(action)s (%(operation)s), which the template allows. Update the stack with the present"
            " template; if it is up to date, a permissions boundary or a policy of the organisation denies it."
        )
        return words % names
    words = _(
        "AWS denies %(action)s (%(operation)s). It belongs to “%(feature)s”, which is not switched on for this account:"
        " switch it on, and update the stack with the new template."
    )
    return words % {**names, "feature": Feature(needed.feature.value).label}
