"""The few forms that every part of Envoy's configuration is made of."""

from values import address

TYPE = "type.googleapis.com/envoy."


def typed(name, **fields):
    return {"@type": f"{TYPE}{name}", **fields}


def http_filter(name, type_name, **fields):
    return {"name": name, "typed_config": typed(f"extensions.filters.http.{type_name}", **fields)}


def socket_address(text):
    host, port = address(text, "address")
    return {"socket_address": {"address": host, "port_value": port}}


def secret(name, folder):
    """A certificate from files that Envoy watches: replaced by rename, it is taken at once."""
    return {"name": name, "sds_config": {"path_config_source": {
        "path": f"{folder}/{name}.sds.yaml"}}}


def http2(**options):
    """Options of a cluster that speaks HTTP/2."""
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http2_protocol_options": options})}
