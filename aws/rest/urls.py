"""Routes of AWS accounts below `api/v1/`."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from aws.rest import functions, views

router = SimpleRouter(trailing_slash=False)
router.register("aws-accounts", views.AwsAccountViewSet, "rest-aws-account")
router.register("aws-functions", functions.LambdaFunctionViewSet, "rest-aws-function")

FUNCTION = "aws-functions/<slug:public_id>/"
ALIAS = f"{FUNCTION}aliases/<slug:name>"
ALIASES = functions.FunctionAliasViewSet

urlpatterns = [
    path("", include(router.urls)),
    path(
        "aws-accounts/<slug:slug>/proofs/<slug:public_id>",
        views.AccountProofViewSet.as_view({"get": "retrieve"}),
        name="rest-aws-account-proof",
    ),
    path(
        f"{FUNCTION}pushes/<slug:push>",
        functions.FunctionPushViewSet.as_view({"get": "retrieve"}),
        name="rest-aws-function-journal",
    ),
    path(
        ALIAS,
        ALIASES.as_view({"get": "retrieve", "put": "replace", "delete": "remove"}),
        name="rest-aws-alias",
    ),
    path(f"{ALIAS}/roll-back", ALIASES.as_view({"post": "roll_back"}), name="rest-aws-alias-roll-back"),
    path(f"{ALIAS}/provisioned", ALIASES.as_view({"put": "provisioned"}), name="rest-aws-alias-provisioned"),
]
