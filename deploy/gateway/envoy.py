"""Envoy's configuration, from values and contract: plain dictionaries, one function for each part.

The order of the HTTP filters is the order in which a request is judged: CORS (browsers ask before
they have a key), token, key, role, rate, and only then is its body read (JSON becomes gRPC).
"""

import json

import yaml

from values import address

TYPE = "type.googleapis.com/envoy."
ASKED_IN = "vitrine-content-type"  # what the caller sent: the transcoder changes content-type
OPEN_PATHS = {"/": ("index.html", "text/html; charset=utf-8"),
              "/openapi.json": ("openapi.json", "application/json")}

# Who is calling is said by the token or the key as ROLE/NAME in vitrine-client; the services want
# vitrine-role. Nobody passes without a role: a gateway's own rights are wider than any caller's.
ROLE_LUA = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local client = headers:get("vitrine-client") or ""
  local role, name = string.match(client, "^([^/]+)/(.+)$")
  if role == nil then
    role, name = headers:get("vitrine-role"), client
  end
  local roles = {storefront = true, trainer = true, operator = true, marketer = true, ["read-only"] = true}
  if role == nil or not roles[role] or name == "" then
    handle:respond({[":status"] = "403"}, "the token names no role that exists")
    return
  end
  headers:replace("vitrine-role", role)
  headers:replace("vitrine-client", name)
end
"""

# Errors of the services come out of the transcoder as google.rpc.Status in JSON, code first. They
# get the shape of the gateway's own: the code's name, the message, and the field that is wrong.
ERROR_LUA = """
local names = {[0] = "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
  "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
  "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
function envoy_on_response(handle)
  local headers = handle:headers()
  if tonumber(headers:get(":status")) < 400 or headers:get("content-type") ~= "application/json" then
    return
  end
  local body = handle:body()
  local text = body and body:getBytes(0, body:length()) or ""
  local code, rest = string.match(text, '^{"code":(%d+),(.*)$')
  if code == nil then
    return
  end
  local field = string.match(rest, '"fieldViolations":%[{"field":(".-")') or '""'
  headers:replace("content-length", body:setBytes('{"code":"' .. (names[tonumber(code)] or "UNKNOWN") ..
    '","field":' .. field .. "," .. rest))
end
"""

# HTTP status of an error of the gateway itself -> the code that the contract has for it.
ERRORS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
          404: "NOT_FOUND", 405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED",
          413: "INVALID_ARGUMENT", 415: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED",
          431: "INVALID_ARGUMENT", 500: "INTERNAL", 502: "UNAVAILABLE", 503: "UNAVAILABLE",
          504: "DEADLINE_EXCEEDED"}


def typed(name, **fields):
    return {"@type": f"{TYPE}{name}", **fields}


def http_filter(name, type_name, **fields):
    return {"name": f"envoy.filters.http.{name}",
            "typed_config": typed(f"extensions.filters.http.{type_name}", **fields)}


def socket_address(text):
    host, port = address(text, "address")
    return {"socket_address": {"address": host, "port_value": port}}


def bootstrap(values, keys, contract, folder):
    """The whole configuration; `folder` is where the files beside it stand."""
    return {
        "node": {"id": "vitrine-gateway", "cluster": "vitrine"},
        "admin": {"address": socket_address(values["admin"])},
        "overload_manager": overload_manager(values["limits"]),
        "layered_runtime": {"layers": [{"name": "vitrine", "static_layer": {
            # A connection whose streams are mostly reset early is an attack (CVE-2023-44487).
            "overload.premature_reset_total_stream_count": 200,
            "re2.max_program_size.error_level": 1000}}]},
        "static_resources": {
            "listeners": [outside(values, keys, contract, folder), metrics(values["metrics"])],
            "clusters": [*(upstream(name, values) for name in ("ranking", "profile")),
                         plain_cluster("admin", values["admin"], False),
                         *collector(values["tracing"])],
        },
    }


def overload_manager(limits):
    def at(share, action):
        return {"name": f"envoy.overload_actions.{action}", "triggers": [
            {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}]}
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {"name": "envoy.resource_monitors.fixed_heap", "typed_config": typed(
                "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=limits["heap_mib"] << 20)},
            {"name": "envoy.resource_monitors.global_downstream_max_connections",
             "typed_config": typed("extensions.resource_monitors.downstream_connections.v3."
                                   "DownstreamConnectionsConfig",
                                   max_active_downstream_connections=limits["connections"])}],
        "actions": [at(0.85, "shrink_heap"), at(0.92, "stop_accepting_requests"),
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


def secret(name, folder):
    """A certificate from files that Envoy watches: replaced by rename, it is taken at once."""
    return {"name": name, "sds_config": {"path_config_source": {
        "path": f"{folder}/{name}.sds.yaml"}}}


def connection_manager(values, keys, contract, folder):
    limits = values["limits"]
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="outside",
        codec_type="AUTO",
        server_name="vitrine",
        use_remote_address=True,
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
            "name": "outsiders_name_no_role",
            "typed_config": typed(
                "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                mutations=[{"remove": "vitrine-role"}, {"remove": "vitrine-client"},
                           {"append": {"header": {"key": ASKED_IN, "value": "%REQ(CONTENT-TYPE)%"},
                                       "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}])}],
        access_log=[access_log()],
        local_reply_config={"mappers": [local_reply(s, code) for s, code in ERRORS.items()]},
        http_filters=filters(values, keys, folder),
        route_config=routes(values, contract, folder),
        **tracing(values["tracing"]))


def access_log():
    """A line a call. Paths and queries hold customers' ids, so the route's name stands for them."""
    fields = {"time": "%START_TIME%", "event": "call", "method": "%ROUTE_NAME%",
              "status": "%RESPONSE_CODE%", "grpc_status": "%GRPC_STATUS(CAMEL_STRING)%",
              "client": "%REQ(VITRINE-CLIENT)%", "ms": "%DURATION%", "flags": "%RESPONSE_FLAGS%",
              "why": "%RESPONSE_CODE_DETAILS%", "received": "%BYTES_RECEIVED%",
              "sent": "%BYTES_SENT%", "upstream": "%UPSTREAM_HOST%",
              "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "protocol": "%PROTOCOL%",
              "traceparent": "%REQ(TRACEPARENT)%"}
    return {"name": "envoy.access_loggers.stdout", "typed_config": typed(
        "extensions.access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": fields})}


def local_reply(status, code):
    """JSON for whoever does not speak gRPC; gRPC callers get the text as grpc-message."""
    return {
        "filter": {"and_filter": {"filters": [
            {"status_code_filter": {"comparison": {"op": "EQ", "value": {
                "default_value": status, "runtime_key": "vitrine.none"}}}},
            {"header_filter": {"header": {"name": ASKED_IN, "invert_match": True,
                                          "treat_missing_header_as_empty": True,
                                          "string_match": {"prefix": "application/grpc"}}}}]}},
        "body_format_override": {"json_format": {
            "code": code, "field": "", "message": "%LOCAL_REPLY_BODY%"}},
    }


def filters(values, keys, folder):
    return [
        http_filter("cors", "cors.v3.Cors"),
        http_filter("lua", "lua.v3.Lua", default_source_code={"inline_string": ERROR_LUA}),
        *token_filter(values["jwt"]),
        *key_filter(keys),
        {"name": "role", "typed_config": typed("extensions.filters.http.lua.v3.Lua",
                                               default_source_code={"inline_string": ROLE_LUA})},
        rate_filter(values["limits"], keys),
        body_filter(values["limits"]),
        http_filter("grpc_json_transcoder", "grpc_json_transcoder.v3.GrpcJsonTranscoder",
                    proto_descriptor=f"{folder}/vitrine.pb",
                    services=sorted(values["services"]),
                    convert_grpc_status=True,
                    url_unescape_spec="ALL_CHARACTERS_EXCEPT_SLASH",
                    max_request_body_size=values["limits"]["body_kib"] << 10,
                    max_response_body_size=16 << 20,
                    request_validation_options={"reject_unknown_method": True,
                                                "reject_unknown_query_parameters": True,
                                                "reject_binding_body_field_collisions": True},
                    print_options={"always_print_primitive_fields": True,
                                   "stream_newline_delimited": True}),
        http_filter("router", "router.v3.Router"),
    ]


def skipped_where(header, prefix, judge):
    """A filter that stands aside for requests whose header begins so."""
    predicate = {"single_predicate": {
        "input": {"name": header, "typed_config": {
            "@type": f"{TYPE}type.matcher.v3.HttpRequestHeaderMatchInput",
            "header_name": header}},
        "value_match": {"prefix": prefix}}}
    skip = {"action": {"name": "skip", "typed_config": typed(
        "extensions.filters.common.matcher.action.v3.SkipFilter")}}
    return {"name": judge["name"], "typed_config": {
        "@type": f"{TYPE}extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": judge,
        "xds_matcher": {"matcher_list": {"matchers": [
            {"predicate": predicate, "on_match": skip}]}}}}


def token_filter(jwt):
    """`Authorization: Bearer`: who brings none may bring a key."""
    if not jwt["issuer"]:
        return []
    provider = {"issuer": jwt["issuer"], "audiences": jwt["audiences"],
                "local_jwks": {"filename": jwt["jwks"]}, "require_expiration": True,
                "claim_to_headers": [{"header_name": "vitrine-role", "claim_name": "role"},
                                     {"header_name": "vitrine-client", "claim_name": "sub"}]}
    return [http_filter("jwt_authn", "jwt_authn.v3.JwtAuthentication",
                        providers={"vitrine": provider},
                        rules=[{"match": {"prefix": "/"}, "requires": {"requires_any": {
                            "requirements": [{"provider_name": "vitrine"},
                                             {"allow_missing": {}}]}}}])]


def key_filter(keys):
    """`x-api-key`, unless a token came, which the filter before has judged."""
    judge = http_filter(
        "api_key_auth", "api_key_auth.v3.ApiKeyAuth",
        credentials=[{"key": key, "client": f"{role}/{name}"} for key, role, name, _ in keys],
        key_sources=[{"header": "x-api-key"}],
        forwarding={"header": "vitrine-client", "hide_credentials": True})
    return [skipped_where("authorization", "Bearer ", judge)]


def body_filter(limits):
    """JSON is read whole before it is judged; gRPC messages have limits of their own."""
    return skipped_where("content-type", "application/grpc", http_filter(
        "buffer", "buffer.v3.Buffer", max_request_bytes=limits["body_kib"] << 10))


def bucket(rate):
    """A second's calls at once, then as many a second."""
    return {"max_tokens": rate, "tokens_per_fill": max(1, rate // 10), "fill_interval": "0.1s"} \
        if rate >= 10 else {"max_tokens": rate, "tokens_per_fill": rate, "fill_interval": "1s"}


def rate_filter(limits, keys):
    def descriptor(name, rate):
        return {"entries": [{"key": "client", "value": name}], "token_bucket": bucket(rate)}
    return http_filter(
        "local_ratelimit", "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="keys",
        token_bucket=bucket(1_000_000),  # of all together: capacity is the services' to defend
        filter_enabled={"default_value": {"numerator": 100}},
        filter_enforced={"default_value": {"numerator": 100}},
        rate_limits=[{"actions": [{"request_headers": {
            "header_name": "vitrine-client", "descriptor_key": "client"}}]}],
        descriptors=[*(descriptor(name, rate) for _, _, name, rate in keys),
                     {"entries": [{"key": "client"}],
                      "token_bucket": bucket(limits["calls_per_second"])}],
        max_dynamic_descriptors=1000,
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[{"header": {"key": "retry-after", "value": "1"}}])


# ---- what goes where ----

def routes(values, contract, folder):
    return {
        "name": "contract",
        "max_direct_response_body_size_bytes": 1 << 20,
        "request_headers_to_remove": ["authorization", "x-api-key", ASKED_IN],
        "virtual_hosts": [{
            "name": "any", "domains": ["*"], "include_attempt_count_in_response": False,
            "typed_per_filter_config": {"envoy.filters.http.cors": cors(values["cors"])},
            "routes": [*(page(path, folder, *what) for path, what in OPEN_PATHS.items()),
                       *(route(method, values["limits"]) for method in contract.methods),
                       *(route(method, values["limits"]) for method in standard_methods())],
        }],
    }


class StandardMethod:
    """What every gRPC service has besides the contract."""

    upstream, is_read, is_stream = "ranking", True, False

    def __init__(self, full_name):
        self.full_name = full_name


def standard_methods():
    return [StandardMethod("grpc.health.v1.Health/Check")]


def cors(origins):
    return typed("extensions.filters.http.cors.v3.CorsPolicy",
                 allow_origin_string_match=[{"exact": origin} for origin in origins],
                 allow_methods="GET, POST, OPTIONS",
                 allow_headers="content-type, x-api-key, authorization, vitrine-key, traceparent, "
                               "x-grpc-web, grpc-timeout",
                 expose_headers="grpc-status, grpc-message, retry-after", max_age="600")


OPEN = {f"envoy.filters.http.{name}": {"@type": f"{TYPE}config.route.v3.FilterConfig",
                                       "disabled": True}
        for name in ("api_key_auth", "local_ratelimit", "buffer", "grpc_json_transcoder")}
OPEN["role"] = {"@type": f"{TYPE}config.route.v3.FilterConfig", "disabled": True}


def page(path, folder, file, content_type):
    """Served to anybody: it says how to call, and nothing about anybody."""
    return {"match": {"path": path}, "name": file, "typed_per_filter_config": OPEN,
            "response_headers_to_add": [
                {"header": {"key": "content-type", "value": content_type},
                 "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
                {"header": {"key": "content-security-policy",
                            "value": "default-src 'self' 'unsafe-inline'"}}],
            "direct_response": {"status": 200, "body": {"filename": f"{folder}/{file}"}}}


def route(method, limits):
    deadline = f"{limits['deadline_ms'] / 1000:g}s"
    action = {
        "cluster": method.upstream,
        "hash_policy": [{"header": {"header_name": "vitrine-key"}}],
        # The caller's grpc-timeout is the limit; who sends none gets ours. Streams may last.
        "timeout": "0s" if method.is_stream else deadline,
        "max_stream_duration": {"max_stream_duration": "0s" if method.is_stream else deadline,
                                "grpc_timeout_header_max": "0s"},
    }
    if method.is_stream:
        action["idle_timeout"] = "300s"
    if method.is_read:
        action["retry_policy"] = retry()
    return {"match": {"path": f"/{method.full_name}"}, "name": method.full_name, "route": action}


def retry():
    """A read may be asked once more, of another host; the cluster's budget bounds how many are."""
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request,unavailable",
        "num_retries": 1,
        "retry_host_predicate": [{"name": "previous_hosts", "typed_config": typed(
            "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")}],
        "host_selection_retry_max_attempts": 3,
    }


# ---- towards services ----

def upstream(name, values):
    targets = [address(target, name) for target in values["upstreams"][name]]
    numeric = all(host.replace(".", "").isdigit() or ":" in host for host, _ in targets)
    limit = values["limits"]["requests"]
    return {
        "name": name,
        "type": "STATIC" if numeric else "STRICT_DNS",
        "connect_timeout": "0.5s",
        "lb_policy": "MAGLEV",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
            for host, port in targets]}]},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [{
            "max_connections": 64, "max_pending_requests": limit, "max_requests": limit,
            "retry_budget": {"budget_percent": {"value": 10}, "min_retry_concurrency": 3}}]},
        "health_checks": [{
            # A stopped process is noticed within three quarters of a second.
            "timeout": "0.2s", "interval": "0.25s", "no_traffic_interval": "1s",
            "unhealthy_threshold": 2, "healthy_threshold": 1,
            "grpc_health_check": {"service_name": ""}}],
        "outlier_detection": {
            "consecutive_gateway_failure": 5, "enforcing_consecutive_gateway_failure": 100,
            "split_external_local_origin_errors": True, "consecutive_local_origin_failure": 3,
            "interval": "0.5s", "base_ejection_time": "2s", "max_ejection_percent": 50},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "extensions.upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={"http2_protocol_options": {
                    "max_concurrent_streams": 1000,
                    "connection_keepalive": {"interval": "10s", "timeout": "2s"}}})},
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": typed(
                "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                sni=values["certificates"]["services"]["name"],
                common_tls_context={
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_2",
                                   "tls_maximum_protocol_version": "TLSv1_3"},
                    "alpn_protocols": ["h2"],
                    "tls_certificate_sds_secret_configs": [secret("services", values["folder"])],
                    "combined_validation_context": {
                        "default_validation_context": {"match_typed_subject_alt_names": [
                            {"san_type": "DNS", "matcher": {
                                "exact": values["certificates"]["services"]["name"]}}]},
                        "validation_context_sds_secret_config": secret("ca", values["folder"])}})},
    }


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


def plain_cluster(name, target, grpc):
    host, port = address(target, name)
    options = {"typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {}})}} if grpc else {}
    return {"name": name, "type": "STRICT_DNS", "connect_timeout": "1s", **options,
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": {"socket_address": {
                    "address": host, "port_value": port}}}}]}]}}


def collector(tracing_values):
    return [plain_cluster("collector", tracing_values["collector"], True)] \
        if tracing_values["collector"] else []


def tracing(values):
    if not values["collector"]:
        return {}
    return {"tracing": {
        "random_sampling": {"value": values["sample"] * 100},
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": {
            "@type": f"{TYPE}config.trace.v3.OpenTelemetryConfig",
            "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}, "timeout": "1s"},
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
