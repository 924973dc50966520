"""What the gateway says by itself: its own errors, and its log."""

from filters import NAMESPACE
from shapes import typed

# HTTP status of an error of the gateway itself -> the code that the contract has for it.
CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
         404: "NOT_FOUND", 405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED",
         413: "INVALID_ARGUMENT", 415: "INVALID_ARGUMENT", 426: "INVALID_ARGUMENT",
         429: "RESOURCE_EXHAUSTED", 431: "INVALID_ARGUMENT", 500: "INTERNAL", 502: "UNAVAILABLE",
         503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
# Envoy's own words where they say little.
WORDS = {429: "too many calls with this key: come back after retry-after",
         413: "the body is larger than this gateway takes",
         431: "the headers are larger than this gateway takes",
         504: "the answer did not come in time"}


def local_replies():
    """gRPC callers get the words as grpc-message, everybody else JSON. The first that fits counts."""
    return {"mappers": [
        *({"filter": both(has_status("EQ", status), wants_grpc()), **words(status)}
          for status in WORDS),
        {"filter": wants_grpc()},
        *({"filter": has_status("EQ", status), **words(status),
           "body_format_override": shape(code)} for status, code in CODES.items()),
        {"filter": has_status("GE", 400), "body_format_override": shape("UNKNOWN")}]}


def words(status):
    return {"body": {"inline_string": WORDS[status]}} if status in WORDS else {}


def shape(code):
    return {"json_format": {"code": code, "field": "", "message": "%LOCAL_REPLY_BODY%"}}


def both(one, other):
    return {"and_filter": {"filters": [one, other]}}


def has_status(comparison, status):
    return {"status_code_filter": {"comparison": {"op": comparison, "value": {
        "default_value": status, "runtime_key": "vitrine.none"}}}}


def wants_grpc():
    """As filters.noted_headers has it; where it was not reached, as the request still says it."""
    grpc = {"prefix": "application/grpc"}
    header = {"header_filter": {"header": {"name": "content-type", "string_match": grpc}}}
    return {"or_filter": {"filters": [noted(grpc, False), both(header, noted({"exact": ""}, True))]}}


def noted(pattern, or_nothing):
    return {"metadata_filter": {
        "matcher": {"filter": NAMESPACE, "path": [{"key": "asked_in"}],
                    "value": {"string_match": pattern}},
        "match_if_key_not_found": or_nothing}}


def access_log(tracing):
    """A line a call. Paths and queries hold customers' ids, so the route's name stands for them."""
    trace_id = "%TRACE_ID%" if tracing["collector"] else f"%DYNAMIC_METADATA({NAMESPACE}:trace_id)%"
    fields = {"time": "%START_TIME%", "event": "call", "method": "%ROUTE_NAME%",
              "status": "%RESPONSE_CODE%", "grpc_status": "%GRPC_STATUS(CAMEL_STRING)%",
              "client": f"%DYNAMIC_METADATA({NAMESPACE}:client)%", "trace_id": trace_id,
              "ms": "%DURATION%", "flags": "%RESPONSE_FLAGS%", "why": "%RESPONSE_CODE_DETAILS%",
              "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%",
              "upstream": "%UPSTREAM_HOST%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
              "protocol": "%PROTOCOL%"}
    return {"name": "envoy.access_loggers.stdout", "typed_config": typed(
        "extensions.access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": fields})}
