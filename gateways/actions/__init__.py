"""Every write to gateways, publications and what was pushed. Other apps import from here."""

from gateways.actions.call_logs import keep_call_logs
from gateways.actions.deployments import ask_deployment
from gateways.actions.drift import adopt_drift, ignore_drift, overwrite_drift
from gateways.actions.gateways import (
    ListenerValues,
    change_gateway,
    create_gateway,
    retire_gateway,
    retire_node,
    set_token,
)
from gateways.actions.inspection import inspect_after_push, inspect_gateway, sweep_drift
from gateways.actions.nodes import Heartbeat, fetch_config, record_heartbeat
from gateways.actions.previews import Preview, preview_gateway, preview_publishing
from gateways.actions.prompt_tests import overdue_runs, run_prompt_tests
from gateways.actions.publications import PlaceToPublish, publish, publish_to, roll_back, withdraw
from gateways.actions.reconcile import reconcile
from gateways.actions.restored import Difference, difference_of, hold_gateway, release_gateway
from gateways.actions.ringing import mark_behind, request_comparison, ring, ring_for_tests
from gateways.actions.sweep import sweep

__all__ = [
    "Difference",
    "Heartbeat",
    "ListenerValues",
    "PlaceToPublish",
    "Preview",
    "adopt_drift",
    "ask_deployment",
    "change_gateway",
    "create_gateway",
    "difference_of",
    "fetch_config",
    "hold_gateway",
    "ignore_drift",
    "inspect_after_push",
    "inspect_gateway",
    "keep_call_logs",
    "mark_behind",
    "overdue_runs",
    "overwrite_drift",
    "preview_gateway",
    "preview_publishing",
    "publish",
    "publish_to",
    "reconcile",
    "record_heartbeat",
    "release_gateway",
    "request_comparison",
    "retire_gateway",
    "retire_node",
    "ring",
    "ring_for_tests",
    "roll_back",
    "run_prompt_tests",
    "set_token",
    "sweep",
    "sweep_drift",
    "withdraw",
]
