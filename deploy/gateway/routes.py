"""What goes where: the methods of the contract to the services that answer them, two pages to
anybody, and nothing else."""

import dataclasses
import re

from filters import JUDGES
from shapes import TYPE, typed

PAGES = {"/": ("index.html", "text/html; charset=utf-8"),
         "/openapi.json": ("openapi.json", "application/json")}
PAGE_MAX_BYTES = 1 << 20
STREAM_IDLE = "300s"
# As docs/api.md promises for callers who set no deadline; for reads it is a value of the gateway.
WRITE_DEADLINE = "10s"
SWAP_DEADLINE = "60s"
SWAPS = ("Activate", "Rollback")
NO_CLUSTER = "vitrine-no-cluster"  # a header that nobody can send: it is taken from every request


@dataclasses.dataclass
class StandardMethod:
    """What every gRPC service has besides the contract."""

    full_name: str
    is_stream: bool
    upstream: str = "ranking"
    is_read: bool = True

    @property
    def name(self):
        return self.full_name.rsplit("/", 1)[1]


STANDARD_METHODS = [
    StandardMethod("grpc.health.v1.Health/Check", False),
    StandardMethod("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", True),
    StandardMethod("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", True),
]


def routes(values, contract, folder):
    known = [*contract.methods, *STANDARD_METHODS]
    return {
        "name": "contract",
        "max_direct_response_body_size_bytes": PAGE_MAX_BYTES,
        "request_headers_to_remove": ["x-api-key"],
        "virtual_hosts": [{
            "name": "any", "domains": ["*"],
            "typed_per_filter_config": {"cors": cors(values["cors"])},
            "routes": [*(page(path, folder, *what) for path, what in PAGES.items()),
                       *(call(method, values["limits"]) for method in known),
                       *wrong_verbs(contract.methods), json_paths(), nothing()],
        }],
    }


def cors(origins):
    return typed("extensions.filters.http.cors.v3.CorsPolicy",
                 allow_origin_string_match=[{"exact": origin} for origin in origins],
                 allow_methods="GET, POST",
                 allow_headers="content-type, x-api-key, authorization, vitrine-key, traceparent, "
                               "grpc-timeout",
                 expose_headers="retry-after", max_age="600")


def page(path, folder, file, content_type):
    """Served to anybody: it says how to call, and nothing about anybody."""
    headers = {"content-type": content_type, "x-content-type-options": "nosniff",
               "content-security-policy": "default-src 'none'; connect-src 'self'; "
                                          "script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                                          "base-uri 'none'; frame-ancestors 'none'"}
    return {"match": {"path": path}, "name": file,
            "typed_per_filter_config": {name: switched_off() for name in JUDGES},
            "response_headers_to_add": [
                {"header": {"key": key, "value": value},
                 "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"} for key, value in headers.items()],
            "direct_response": {"status": 200, "body": {"filename": f"{folder}/{file}"}}}


def switched_off():
    """What a route says of a filter that it has no use for."""
    return {"@type": f"{TYPE}config.route.v3.FilterConfig", "disabled": True}


def call(method, limits):
    action = {
        "cluster": method.upstream,
        "hash_policy": [{"header": {"header_name": "vitrine-key"}}],
        # max_stream_duration is the deadline: the caller's grpc-timeout, or this for who sends none.
        "timeout": "0s",
        "max_stream_duration": {"max_stream_duration": deadline(method, limits),
                                "grpc_timeout_header_max": "0s"},
    }
    if method.is_stream:
        action["idle_timeout"] = STREAM_IDLE
    if method.is_read and not method.is_stream:
        action["retry_policy"] = retry()
    if method.is_read and not method.is_stream and method.upstream == "ranking":
        action["retry_policy"]["per_try_timeout"] = HEDGE_AFTER
        action["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    return {"match": {"path": f"/{method.full_name}"}, "name": method.full_name, "route": action,
            "decorator": {"operation": method.full_name, "propagate": False}}  # its span's name


def deadline(method, limits):
    if method.is_stream:
        return "0s"
    if method.name in SWAPS:
        return SWAP_DEADLINE
    is_quick = method.is_read and not method.name.startswith("List")
    return f"{limits['deadline_ms'] / 1000:g}s" if is_quick else WRITE_DEADLINE


# A recommendation takes a few milliseconds. What took this long asks another replica beside the
# first, and the first answer counts: a replica that hangs costs its callers this, not their deadline.
# Not sooner: with 0.1 s the answers of a machine at its limit, slow after a restart, were each asked
# for three times, and it stayed there until callers' deadlines passed.
HEDGE_AFTER = "0.25s"


def retry():
    """A read may be asked twice more, of other hosts; the cluster's budget bounds how many are.
    A call with a key has its own host, also when it is asked again: the predicate wants to be
    asked often until chance names another one."""
    return {
        "retry_on": "connect-failure,refused-stream,reset,unavailable",
        "num_retries": 2,
        "retry_host_predicate": [{"name": "previous_hosts", "typed_config": typed(
            "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")}],
        "host_selection_retry_max_attempts": 20,
    }


def wrong_verbs(methods):
    """A path of the contract, asked for in another way: 405, and which one is right. Browsers'
    questions (OPTIONS) pass. Who asks is judged as for every call, but there is nothing to transcode."""
    verbs = {}
    for method in methods:
        if method.path:
            verbs.setdefault(method.path, set()).add(method.verb.upper())
    return [wrong_verb(path, sorted(right)) for path, right in verbs.items()]


def wrong_verb(path, right):
    pattern = "[^/]+".join(re.escape(part) for part in re.split(r"{[^}]*}", path))
    is_right = {"name": ":method", "invert_match": True, "string_match": {
        "safe_regex": {"regex": "|".join([*right, "OPTIONS"])}}}
    return {"match": {"safe_regex": {"regex": pattern}, "headers": [is_right]}, "name": "unknown",
            "typed_per_filter_config": {"json": switched_off()},
            "response_headers_to_add": [{"header": {"key": "allow", "value": ", ".join(right)}}],
            "direct_response": {"status": 405, "body": {
                "inline_string": f"this path wants {' or '.join(right)}"}}}


def json_paths():
    """JSON comes by here twice: as its path, for browsers' questions (CORS), then as the method that
    it is turned into, which has its own route. What has none has no cluster either."""
    return {"match": {"prefix": "/v1/"}, "name": "unknown", "route": {
        "cluster_header": NO_CLUSTER, "cluster_not_found_response_code": "NOT_FOUND"}}


def nothing():
    return {"match": {"prefix": "/"}, "name": "unknown",
            "direct_response": {"status": 404, "body": {"inline_string": "no such path"}}}
