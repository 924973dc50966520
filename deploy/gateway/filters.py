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

# What the access log and the gateway's own errors are told (see header_to_metadata below).
NAMESPACE = "vitrine"


def filters(values, keys, folder):
    return [
        asked_in(),
        http_filter("cors", "cors.v3.Cors"),
        lua("errors", (HERE / "errors.lua").read_text(encoding="utf-8")),
        *token_filter(values["jwt"]),
        lua("caller", caller_source(keys, not values["tracing"]["collector"])),
        rate_filter(values["limits"], keys),
        body_filter(values["limits"]),
        transcoder(values, folder),
        http_filter("router", "router.v3.Router", suppress_envoy_headers=True),
    ]


# Pages that anybody may read pass by these.
JUDGES = ("caller", "rate", "body", "json")


def asked_in():
    """Notes the caller's content type: once JSON is gRPC, nothing else tells who wants JSON."""
    def note(**value):
        return {"metadata_namespace": NAMESPACE, "key": "asked_in", "type": "STRING", **value}
    return http_filter("asked_in", "header_to_metadata.v3.Config", request_rules=[{
        "header": "content-type", "on_header_present": note(),
        "on_header_missing": note(value="none")}])


def lua(name, source):
    return http_filter(name, "lua.v3.Lua", default_source_code={"inline_string": source})


def caller_source(keys, traces):
    callers = ",\n".join(f'  ["{digest}"] = {{"{role}", "{name}"}}'
                         for digest, role, name, _ in keys)
    return (f"local CALLERS = {{\n{callers}\n}}\nlocal TRACES = {json.dumps(traces)}\n" +
            (HERE / "caller.lua").read_text(encoding="utf-8"))


def token_filter(jwt):
    """`Authorization: Bearer`: a wrong one is refused; who brings none may bring a key."""
    if not jwt["issuer"]:
        return []
    provider = {"issuer": jwt["issuer"], "audiences": jwt["audiences"],
                "local_jwks": {"filename": jwt["jwks"]}, "require_expiration": True,
                "payload_in_metadata": "claims"}
    either = {"requires_any": {"requirements": [{"provider_name": "cell"}, {"allow_missing": {}}]}}
    return [http_filter("envoy.filters.http.jwt_authn", "jwt_authn.v3.JwtAuthentication",
                        providers={"cell": provider},
                        rules=[{"match": {"prefix": "/"}, "requires": either}])]


def bucket(rate):
    """A second's calls at once, then as many a second."""
    return {"max_tokens": rate, "tokens_per_fill": max(1, rate // 10), "fill_interval": "0.1s"} \
        if rate >= 10 else {"max_tokens": rate, "tokens_per_fill": rate, "fill_interval": "1s"}


def rate_filter(limits, keys):
    def descriptor(rate, **client):
        return {"entries": [{"key": "client", **client}], "token_bucket": bucket(rate)}
    client = {"metadata": {"descriptor_key": "client", "metadata_key": {
        "key": NAMESPACE, "path": [{"key": "client"}]}}}
    return http_filter(
        "rate", "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="keys",
        token_bucket=bucket(CALLS_PER_SECOND_OF_ALL),
        filter_enabled={"default_value": {"numerator": 100}},
        filter_enforced={"default_value": {"numerator": 100}},
        rate_limits=[{"actions": [client]}],
        descriptors=[*(descriptor(rate, value=name) for _, _, name, rate in keys),
                     descriptor(limits["calls_per_second"])],
        max_dynamic_descriptors=TOKEN_SUBJECTS,
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[{"header": {"key": "retry-after", "value": "1"}}])


def body_filter(limits):
    """JSON is read whole before it is judged; gRPC messages have limits of their own."""
    read = http_filter("buffer", "buffer.v3.Buffer", max_request_bytes=limits["body_kib"] << 10)
    is_grpc = {"single_predicate": {
        "input": {"name": "content-type", "typed_config": typed(
            "type.matcher.v3.HttpRequestHeaderMatchInput", header_name="content-type")},
        "value_match": {"prefix": "application/grpc"}}}
    skip = {"action": {"name": "skip", "typed_config": typed(
        "extensions.filters.common.matcher.action.v3.SkipFilter")}}
    return {"name": "body", "typed_config": {
        "@type": f"{TYPE}extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": read,
        "xds_matcher": {"matcher_list": {"matchers": [
            {"predicate": is_grpc, "on_match": skip}]}}}}


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
