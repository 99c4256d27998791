"""Row locks, always taken in one order so that no two actions wait for each other:
application, then request, then subscription, then its rotations, keys and blocks."""

from __future__ import annotations

from subscriptions.models import AccessRequest, Application, Credential, Rotation, Subscription


def lock_application(application_id: int) -> Application:
    """The application as it is now, locked to the end of the transaction."""
    return (
        Application.objects.select_for_update(of=("self",), no_key=True)
        .select_related("team")
        .get(pk=application_id)
    )


def lock_request(request: AccessRequest) -> AccessRequest:
    """The request as it is now, locked together with its application."""
    lock_application(request.application_id)
    return (
        AccessRequest.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "application__team",
            "api_version__api__team",
            "environment",
            "plan_revision__plan__approvers",
            "plan_revision__plan__api__team",
        )
        .get(pk=request.pk)
    )


def lock_subscription(subscription_id: int) -> Subscription:
    """The subscription as it is now, locked."""
    return (
        Subscription.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "application__team", "api_version__api__team", "environment", "plan_revision__plan__api__team"
        )
        .get(pk=subscription_id)
    )


def lock_credential(credential_id: int) -> Credential:
    """The key as it is now, locked together with its subscription: a rotation may move two of its keys."""
    lock_subscription(Credential.objects.values_list("subscription_id", flat=True).get(pk=credential_id))
    return (
        Credential.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "subscription__application__team",
            "subscription__api_version__api__team",
            "subscription__environment",
            "subscription__plan_revision__plan",
        )
        .get(pk=credential_id)
    )


def lock_rotation(rotation_id: int) -> Rotation:
    """The rotation as it is now, locked together with its subscription and both keys."""
    lock_subscription(Rotation.objects.values_list("old__subscription_id", flat=True).get(pk=rotation_id))
    rotation = Rotation.objects.select_for_update(of=("self",), no_key=True).get(pk=rotation_id)
    rotation.old, rotation.new = lock_credential(rotation.old_id), lock_credential(rotation.new_id)
    return rotation
