"""Whom the gateway calls: the services of the cell, how it knows that they are well, and how much of
them one gateway may take."""

import ipaddress

from shapes import http2, secret, socket_address, typed
from values import address


def service(name, values):
    limit = values["limits"]["requests"]
    return {
        "name": name,
        **endpoints(name, values["upstreams"][name]),
        "connect_timeout": "0.5s",
        "lb_policy": "MAGLEV",  # the same customer, the same host, while it is there
        # Where no host is well, all are asked: late is better than never. Without the second, changes
        # of health are gathered for a second, and who has just died is called meanwhile.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [{
            "max_connections": 64, "max_pending_requests": limit, "max_requests": limit,
            # The floor is what one replica has under way on a bad day: killed, all of it is asked again
            # at once, and what the services refuse for load is not asked again at all.
            "retry_budget": {"budget_percent": {"value": 10}, "min_retry_concurrency": 100}}]},
        "health_checks": [{
            # A stopped process is out within 0.9 s: two times the wait for a check and its answer.
            "timeout": "0.3s", "interval": "0.15s", "no_traffic_interval": "1s",
            "unhealthy_threshold": 2, "healthy_threshold": 1,
            "grpc_health_check": {"service_name": ""}}],
        # By answers alone. An attempt that was hedged counts as a failure of local origin, so three
        # slow answers would send a replica away that works, perhaps the last one; who is dead or
        # hangs is told by the checks.
        "outlier_detection": {
            "consecutive_gateway_failure": 5, "enforcing_consecutive_gateway_failure": 100,
            "split_external_local_origin_errors": True,
            "enforcing_consecutive_local_origin_failure": 0,
            "interval": "0.5s", "base_ejection_time": "2s", "max_ejection_percent": 50},
        "typed_extension_protocol_options": http2(
            max_concurrent_streams=1000,
            connection_keepalive={"interval": "10s", "timeout": "2s"}),
        "transport_socket": mutual_tls(values),
    }


def endpoints(name, targets):
    """Addresses as they are; names are asked for again and again, and all their addresses used."""
    return {
        "type": "STATIC" if all(is_numeric(target) for target in targets) else "STRICT_DNS",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": socket_address(target)}} for target in targets]}]}}


def is_numeric(target):
    try:
        ipaddress.ip_address(address(target, "upstreams")[0])
    except ValueError:
        return False
    return True


def mutual_tls(values):
    """The gateway shows its own certificate, and talks to nobody but who has the services' name."""
    name = values["certificates"]["services"]["name"]
    has_name = {"san_type": "DNS", "matcher": {"exact": name}}
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed(
        "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni=name,
        common_tls_context={
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2",
                           "tls_maximum_protocol_version": "TLSv1_3"},
            "alpn_protocols": ["h2"],
            "tls_certificate_sds_secret_configs": [secret("services", values["folder"])],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": [has_name]},
                "validation_context_sds_secret_config": secret("ca", values["folder"])}})}


def plain(name, target, **options):
    """A helper on this host or a trusted network: Envoy's own page, the collector of traces."""
    return {"name": name, "connect_timeout": "1s", **endpoints(name, [target]), **options}


def collector(tracing):
    """Spans go out in the background and are dropped while it is away."""
    return [plain("collector", tracing["collector"], typed_extension_protocol_options=http2())] \
        if tracing["collector"] else []
