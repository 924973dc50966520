"""The HTTP filters: how a request is judged before it is passed on, in their order.

Browsers ask before they have a key (CORS); then token, key, role, rate; only then the body is read,
and JSON becomes gRPC. Answers pass in the other direction, so errors.lua sees every error last.
"""

import json
import pathlib

from shapes import TYPE, http_filter, typed

HERE = pathlib.Path(__file__).resolve().parent
CALLS_PER_SECOND_OF_ALL = 1_000_000  # capacity is the services' to defend
TOKEN_SUBJECTS = 1000  # that are counted apart; of more, the longest unseen is forgotten
ANSWER_MAX_BYTES = 16 << 20

# Where filters note for the access log, the rate and the gateway's own errors what they found.
NAMESPACE = "vitrine"
TOKEN_FILTER = "envoy.filters.http.jwt_authn"


def filters(values, keys, folder):
    return [
        noted_headers(),
        http_filter("cors", "cors.v3.Cors"),
        unless_grpc("errors", lua("lua", (HERE / "errors.lua").read_text(encoding="utf-8"))),
        *token_filter(values["jwt"]),
        lua("caller", caller_source(values, keys)),
        rate_filter(values["limits"], keys),
        unless_grpc("body", body_filter(values["limits"])),
        transcoder(values, folder),
        http_filter("router", "router.v3.Router", suppress_envoy_headers=True),
    ]


# Pages that anybody may read pass by these.
JUDGES = ("caller", "rate", "body", "json")


def noted_headers():
    """Notes the caller's content type: once JSON is gRPC, nothing else tells who wants JSON. And the
    trace id, for the access log."""
    def note(key, **value):
        return {"metadata_namespace": NAMESPACE, "key": key, "type": "STRING", **value}
    trace_id = {"pattern": {"regex": "^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$"},
                "substitution": "\\1"}
    return http_filter("noted_headers", "header_to_metadata.v3.Config", request_rules=[
        {"header": "content-type", "on_header_present": note("asked_in"),
         "on_header_missing": note("asked_in", value="none")},
        {"header": "traceparent",
         "on_header_present": note("trace_id", regex_value_rewrite=trace_id)}])


def lua(name, source):
    return http_filter(name, "lua.v3.Lua", default_source_code={"inline_string": source})


def caller_source(values, keys):
    callers = ",\n".join(f'  ["{digest}"] = {{"{role}", "{name}"}}'
                         for digest, role, name, _ in keys)
    has_tokens, traces = bool(values["jwt"]["issuer"]), not values["tracing"]["collector"]
    return (f"local CALLERS = {{\n{callers}\n}}\n"
            f"local TOKENS, TRACES = {json.dumps(has_tokens)}, {json.dumps(traces)}\n" +
            (HERE / "caller.lua").read_text(encoding="utf-8"))


def unless_grpc(name, judge):
    """A filter that only calls in JSON pass through."""
    is_grpc = {"single_predicate": {
        "input": {"name": "content-type", "typed_config": typed(
            "type.matcher.v3.HttpRequestHeaderMatchInput", header_name="content-type")},
        "value_match": {"prefix": "application/grpc"}}}
    skip = {"action": {"name": "skip", "typed_config": typed(
        "extensions.filters.common.matcher.action.v3.SkipFilter")}}
    return {"name": name, "typed_config": {
        "@type": f"{TYPE}extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": judge,
        "xds_matcher": {"matcher_list": {"matchers": [{"predicate": is_grpc, "on_match": skip}]}}}}


def token_filter(jwt):
    """`Authorization: Bearer`: a wrong one is refused; who brings none may bring a key."""
    if not jwt["issuer"]:
        return []
    provider = {"issuer": jwt["issuer"], "audiences": jwt["audiences"],
                "local_jwks": {"filename": jwt["jwks"]}, "require_expiration": True,
                "payload_in_metadata": "claims"}
    either = {"requires_any": {"requirements": [{"provider_name": "cell"}, {"allow_missing": {}}]}}
    return [http_filter(TOKEN_FILTER, "jwt_authn.v3.JwtAuthentication",
                        providers={"cell": provider},
                        rules=[{"match": {"prefix": "/"}, "requires": either}])]


def bucket(rate):
    """A second's calls at once, then as many a second."""
    return {"max_tokens": rate, "tokens_per_fill": max(1, rate // 10), "fill_interval": "0.1s"} \
        if rate >= 10 else {"max_tokens": rate, "tokens_per_fill": rate, "fill_interval": "1s"}


def rate_filter(limits, keys):
    """A bucket for each key, and one for each subject of a token."""
    def rate_of(calls, **entry):
        return {"entries": [entry], "token_bucket": bucket(calls)}

    def told_by(key, namespace, *path):
        return {"actions": [{"metadata": {"descriptor_key": key, "metadata_key": {
            "key": namespace, "path": [{"key": step} for step in path]}}}]}
    return http_filter(
        "rate", "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="keys",
        token_bucket=bucket(CALLS_PER_SECOND_OF_ALL),
        filter_enabled={"default_value": {"numerator": 100}},
        filter_enforced={"default_value": {"numerator": 100}},
        rate_limits=[told_by("client", NAMESPACE, "client"),
                     told_by("subject", TOKEN_FILTER, "claims", "sub")],
        descriptors=[*(rate_of(rate, key="client", value=name) for _, _, name, rate in keys),
                     rate_of(limits["calls_per_second"], key="subject")],
        max_dynamic_descriptors=TOKEN_SUBJECTS,
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[{"header": {"key": "retry-after", "value": "1"}}])


def body_filter(limits):
    """JSON is read whole before it is judged; gRPC messages have limits of their own."""
    return http_filter("buffer", "buffer.v3.Buffer", max_request_bytes=limits["body_kib"] << 10)


def transcoder(values, folder):
    return http_filter(
        "json", "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=f"{folder}/vitrine.pb",
        services=sorted(values["services"]),
        convert_grpc_status=True,
        url_unescape_spec="ALL_CHARACTERS_EXCEPT_SLASH",
        max_request_body_size=values["limits"]["body_kib"] << 10,
        max_response_body_size=ANSWER_MAX_BYTES,
        request_validation_options={"reject_unknown_method": True,
                                    "reject_unknown_query_parameters": True,
                                    "reject_binding_body_field_collisions": True},
        print_options={"always_print_primitive_fields": True,
                       "stream_newline_delimited": True})
