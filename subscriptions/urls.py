"""Routes of subscriptions."""

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from subscriptions.rest.views import (
    AccessRequestViewSet,
    ApplicationViewSet,
    CredentialViewSet,
    RotationViewSet,
    SubscriptionViewSet,
)
from subscriptions.views import applications, approvals, credentials, requests, rotations, subscriptions

router = SimpleRouter(trailing_slash=False)
router.register("applications", ApplicationViewSet, "rest-application")
router.register("access-requests", AccessRequestViewSet, "rest-access-request")
router.register("subscriptions", SubscriptionViewSet, "rest-subscription")

urlpatterns: list[URLPattern | URLResolver] = [
    path("applications/", applications.application_list, name="applications"),
    path("applications/new/", applications.application_create, name="application-create"),
    path("applications/<slug:public_id>/", applications.application_detail, name="application-detail"),
    path("applications/<slug:public_id>/edit/", applications.application_change, name="application-change"),
    path("applications/<slug:public_id>/archive/", applications.application_archive, name="application-archive"),
    path("apis/<slug:team>/<slug:slug>/v<int:major>/request/", requests.access_request, name="request-access"),
    path("requests/<slug:public_id>/", requests.request_detail, name="request-detail"),
    path("requests/<slug:public_id>/withdraw/", requests.request_withdraw, name="request-withdraw"),
    path("approvals/", approvals.approval_list, name="approvals"),
    path("approvals/<slug:public_id>/", approvals.approval_detail, name="approval-detail"),
    path("approvals/<slug:public_id>/approve/", approvals.approval_approve, name="approval-approve"),
    path("approvals/<slug:public_id>/reject/", approvals.approval_reject, name="approval-reject"),
    path("publish/<slug:team>/<slug:slug>/subscribers/", subscriptions.subscriber_list, name="subscribers"),
    path("subscriptions/<slug:public_id>/", subscriptions.subscription_detail, name="subscription-detail"),
    path("subscriptions/<slug:public_id>/plan/", subscriptions.subscription_plan, name="subscription-plan"),
    path("subscriptions/<slug:public_id>/suspend/", subscriptions.subscription_suspend, name="subscription-suspend"),
    path("subscriptions/<slug:public_id>/resume/", subscriptions.subscription_resume, name="subscription-resume"),
    path("subscriptions/<slug:public_id>/close/", subscriptions.subscription_close, name="subscription-close"),
    path("subscriptions/<slug:public_id>/keys/new/", credentials.credential_issue, name="credential-issue"),
    path("credentials/<slug:public_id>/revoke/", credentials.credential_revoke, name="credential-revoke"),
    path("credentials/<slug:public_id>/rotate/", rotations.rotation_start, name="rotation-start"),
    path("rotations/<slug:public_id>/", rotations.rotation_detail, name="rotation-detail"),
    path("rotations/<slug:public_id>/finish/", rotations.rotation_finish, name="rotation-finish"),
    path("rotations/<slug:public_id>/extend/", rotations.rotation_extend, name="rotation-extend"),
    path("rotations/<slug:public_id>/abort/", rotations.rotation_abort, name="rotation-abort"),
    path("api/v1/", include(router.urls)),
    # A key is listed under its subscription only, so no router makes a list of its own.
    path(
        "api/v1/credentials/<slug:public_id>",
        CredentialViewSet.as_view({"get": "retrieve"}),
        name="rest-credential-detail",
    ),
    path(
        "api/v1/credentials/<slug:public_id>/revoke",
        CredentialViewSet.as_view({"post": "revoke"}),
        name="rest-credential-revoke",
    ),
    path(
        "api/v1/credentials/<slug:public_id>/rotate",
        CredentialViewSet.as_view({"post": "rotate"}),
        name="rest-credential-rotate",
    ),
    # Rotations, too, are listed under their subscription.
    path(
        "api/v1/rotations/<slug:public_id>",
        RotationViewSet.as_view({"get": "retrieve"}),
        name="rest-rotation-detail",
    ),
    *(
        path(
            f"api/v1/rotations/<slug:public_id>/{deed}",
            RotationViewSet.as_view({"post": deed}),
            name=f"rest-rotation-{deed}",
        )
        for deed in ("finish", "abort", "extend")
    ),
]  # fmt: skip
