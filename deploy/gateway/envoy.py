"""Envoy's configuration, from values and contract: plain dictionaries, one function for each part.

How a request is judged is in filters.py, whom it is passed on to in upstreams.py.
"""

import json

import yaml

import upstreams
from answers import access_log, local_replies
from filters import filters
from routes import NO_CLUSTER, routes
from shapes import TYPE, http_filter, secret, socket_address, typed

TRACKED_POWER_OF_TWO = 18  # 256 KiB, the window of a stream


def bootstrap(values, keys, contract, folder):
    """The whole configuration; `folder` is where the files beside it stand."""
    return {
        "node": {"id": "vitrine-gateway", "cluster": "vitrine"},
        "admin": {"address": socket_address(values["admin"])},
        "overload_manager": overload_manager(values["limits"]),
        "layered_runtime": {"layers": [{"name": "vitrine", "static_layer": {
            # A connection whose streams are mostly reset early is an attack (CVE-2023-44487).
            "overload.premature_reset_total_stream_count": 200,
            # One connection's burst of calls waits its turn; the others' come between.
            "http.max_requests_per_io_cycle": 8,
            "re2.max_program_size.error_level": 1000,
            "tracing.opentelemetry.flush_interval_ms": 500}}]},
        "static_resources": {
            "listeners": [outside(values, keys, contract, folder), metrics(values["metrics"])],
            "clusters": [*(upstreams.service(name, values) for name in values["upstreams"]),
                         upstreams.plain("admin", values["admin"]),
                         *upstreams.collector(values["tracing"])],
        },
    }


def overload_manager(limits):
    def at(share, action):
        return {"name": f"envoy.overload_actions.{action}", "triggers": [
            {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}]}
    return {
        "refresh_interval": "0.25s",
        # Who holds this much in answers that he does not read is the first to go.
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": TRACKED_POWER_OF_TWO},
        "resource_monitors": [
            {"name": "envoy.resource_monitors.fixed_heap", "typed_config": typed(
                "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=limits["heap_mib"] << 20)},
            {"name": "envoy.resource_monitors.global_downstream_max_connections",
             "typed_config": typed("extensions.resource_monitors.downstream_connections.v3."
                                   "DownstreamConnectionsConfig",
                                   max_active_downstream_connections=limits["connections"])}],
        "actions": [at(0.8, "shrink_heap"),
                    {"name": "envoy.overload_actions.reset_high_memory_stream", "triggers": [
                        {"name": "envoy.resource_monitors.fixed_heap",
                         "scaled": {"scaling_threshold": 0.85, "saturation_threshold": 0.95}}]},
                    at(0.92, "stop_accepting_requests"),
                    at(0.97, "stop_accepting_connections")],
    }


# ---- towards callers ----

def outside(values, keys, contract, folder):
    return {
        "name": "outside",
        "address": socket_address(values["listen"]),
        "per_connection_buffer_limit_bytes": 1 << 20,
        "listener_filters_timeout": "5s",
        "filter_chains": [{
            "transport_socket_connect_timeout": "5s",
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": typed(
                    "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                    common_tls_context={
                        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                        "alpn_protocols": ["h2", "http/1.1"],
                        "tls_certificate_sds_secret_configs": [secret("server", folder)]})},
            "filters": [{"name": "envoy.filters.network.http_connection_manager",
                         "typed_config": connection_manager(values, keys, contract, folder)}],
        }],
    }


def connection_manager(values, keys, contract, folder):
    limits = values["limits"]
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="outside",
        codec_type="AUTO",
        server_name="vitrine",
        use_remote_address=True,
        # Calls have trace ids; but it is by its own id that Envoy finds out whom to sample.
        generate_request_id=bool(values["tracing"]["collector"]),
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        max_request_headers_kb=limits["header_kib"],
        common_http_protocol_options={"idle_timeout": "300s", "max_headers_count": 64,
                                      "headers_with_underscores_action": "REJECT_REQUEST"},
        http2_protocol_options={"max_concurrent_streams": limits["streams"],
                                "initial_stream_window_size": 256 << 10,
                                "initial_connection_window_size": 1 << 20,
                                "connection_keepalive": {"interval": "60s", "timeout": "10s"}},
        request_headers_timeout="5s",
        stream_idle_timeout="60s",
        delayed_close_timeout="1s",
        drain_timeout="5s",
        early_header_mutation_extensions=[{
            "name": "outsiders_choose_nothing",
            "typed_config": typed(
                "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                mutations=[{"remove": "vitrine-role"}, {"remove": NO_CLUSTER}])}],
        # Nobody is trusted for where they come from: no x-envoy-… header of theirs counts.
        internal_address_config={"unix_sockets": False},
        access_log=[access_log(values["tracing"])],
        local_reply_config=local_replies(),
        http_filters=filters(values, keys, folder),
        route_config=routes(values, contract, folder),
        **tracing(values["tracing"]))


# ---- seeing ----

def metrics(listen):
    """Prometheus and probes see two pages of the admin port, and nothing else of it."""
    def pass_on(path):
        return {"match": {"path": path}, "route": {"cluster": "admin", "timeout": "5s"}}
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="metrics", http_filters=[http_filter("router", "router.v3.Router")],
        route_config={"name": "metrics", "virtual_hosts": [{
            "name": "any", "domains": ["*"],
            "routes": [pass_on("/stats/prometheus"), pass_on("/ready")]}]})
    return {"name": "metrics", "address": socket_address(listen), "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}


def tracing(values):
    if not values["collector"]:
        return {}
    samplers = "extensions.tracers.opentelemetry.samplers.v3"
    share = {"numerator": round(values["sample"] * 1e6), "denominator": "MILLION"}
    # All are looked at; whom to record is then said by the caller's traceparent, else by the share.
    by_share = {"name": "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
                "typed_config": typed(f"{samplers}.TraceIdRatioBasedSamplerConfig",
                                      sampling_percentage=share)}
    return {"tracing": {
        "random_sampling": {"value": 100},
        "max_path_tag_length": 0,  # paths hold customers' ids; the span's name is the method
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": {
            "@type": f"{TYPE}config.trace.v3.OpenTelemetryConfig",
            "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}, "timeout": "1s"},
            "sampler": {
                "name": "envoy.tracers.opentelemetry.samplers.parent_based",
                "typed_config": typed(f"{samplers}.ParentBasedSamplerConfig",
                                      wrapped_sampler=by_share)},
            "service_name": "vitrine-gateway"}}}}


def sds(name, fields):
    """The file that names a certificate's files."""
    return {"resources": [{"@type": f"{TYPE}extensions.transport_sockets.tls.v3.Secret",
                           "name": name, **fields}]}


def certificate(files, folder):
    return {"tls_certificate": {
        "certificate_chain": {"filename": str(folder / files["cert"])},
        "private_key": {"filename": str(folder / files["key"])},
        "watched_directory": {"path": str((folder / files["cert"]).parent)}}}


def authority(files, folder):
    path = folder / files["ca"]
    return {"validation_context": {"trusted_ca": {"filename": str(path)},
                                   "watched_directory": {"path": str(path.parent)}}}


def text(config):
    """The configuration as YAML that people can read; equal input, equal bytes."""
    return yaml.safe_dump(json.loads(json.dumps(config)), sort_keys=False, width=100)
