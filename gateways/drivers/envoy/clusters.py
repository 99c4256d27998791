"""Upstreams as clusters (CDS)."""

from __future__ import annotations

from functools import lru_cache

from gateways.drivers.agents.names import Address, address
from gateways.drivers.envoy.resources import CLUSTER, Json, seconds, typed
from gateways.engine.document import HealthCheck, Target, Upstream, canonical_json
from gateways.engine.wire import SYSTEM_CA_SECRET

_TLS_MATCH = "envoy.transport_socket_match"


@lru_cache(maxsize=20_000)
def cluster_text(upstream: Upstream) -> str:
    """The canonical JSON of `cluster`, kept because most upstreams are the same from push to push."""
    return canonical_json(cluster(upstream))


def cluster(upstream: Upstream) -> Json:
    """One upstream. Its targets have passed `adapt`, so their URLs can be taken apart."""
    targets = [(target, address(target.url)) for target in upstream.targets]
    resource: Json = {
        "@type": CLUSTER,
        "name": upstream.id,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": seconds(upstream.connect_timeout_ms),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [_BREAKERS]},
        "typed_extension_protocol_options": _PROTOCOL,
        "load_assignment": {
            "cluster_name": upstream.id,
            "endpoints": [{"lb_endpoints": [_endpoint(target, at) for target, at in targets]}],
        },
    }
    if any(at.tls for _, at in targets):
        hosts = sorted({(at.host, at.is_ip) for _, at in targets if at.tls})
        resource["transport_socket_matches"] = [_tls(host, ip) for host, ip in hosts]
    if upstream.health is not None:
        resource["health_checks"] = [_health_check(upstream.health)]
    return resource


_BREAKERS = {
    "max_connections": 4096,
    "max_pending_requests": 1024,
    "max_requests": 8192,
    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 3},
}
_PROTOCOL = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": "55s"},
        explicit_http_config={"http_protocol_options": {}},
    )
}


def _endpoint(target: Target, at: Address) -> Json:
    """The Host header is the endpoint's hostname (`auto_host_rewrite`), so it carries an unusual port."""
    endpoint: Json = {
        "endpoint": {
            "address": {"socket_address": {"address": at.host, "port_value": at.port}},
            "hostname": at.authority,
            "health_check_config": {"hostname": at.authority},
        },
        "load_balancing_weight": target.weight,
    }
    if at.tls:
        endpoint["metadata"] = {"filter_metadata": {_TLS_MATCH: {"tls": at.host}}}
    return endpoint


def _tls(host: str, ip: bool) -> Json:
    """TLS as a browser does it: the node's authorities, the name sent and the name checked."""
    validation = {
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [
                    {"san_type": "IP_ADDRESS" if ip else "DNS", "matcher": {"exact": host}}
                ]
            },
            "validation_context_sds_secret_config": {"name": SYSTEM_CA_SECRET},
        }
    }
    context = typed(
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context={"tls_params": {"tls_minimum_protocol_version": "TLSv1_2"}, **validation},
        **({} if ip else {"sni": host}),
    )
    socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return {"name": host, "match": {"tls": host}, "transport_socket": socket}


def _health_check(check: HealthCheck) -> Json:
    return {
        "timeout": f"{check.timeout_s}s",
        "interval": f"{check.interval_s}s",
        "no_traffic_interval": f"{check.interval_s}s",
        "healthy_threshold": check.healthy,
        "unhealthy_threshold": check.unhealthy,
        "http_health_check": {"path": check.path},
    }
