"""What the gateway knows of the contract: the methods of proto/ with their HTTP form."""

import dataclasses
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
INCLUDE = "/usr/include"  # google/protobuf/*.proto, of libprotobuf-dev
HTTP_RULE = "google.api.http"

# The services that callers outside may reach, and whose processes answer them.
UPSTREAMS = {
    "vitrine.v1.RecommendationService": "ranking",
    "vitrine.v1.EventService": "profile",
    "vitrine.v1.ProfileService": "profile",
    "vitrine.v1.CatalogService": "profile",
    "vitrine.v1.ModelService": "profile",
}


@dataclasses.dataclass
class Method:
    """One call: where it is answered, and how it looks in HTTP."""

    service: str
    name: str
    request: str
    response: str
    verb: str
    path: str
    body: str
    is_stream: bool
    is_read: bool  # without side effects: it may be tried again
    comment: str

    @property
    def full_name(self):
        return f"{self.service}/{self.name}"

    @property
    def upstream(self):
        return UPSTREAMS[self.service]


class Contract:
    """The contract's descriptor set, as bytes and read."""

    def __init__(self):
        self.bytes = compile_descriptors()
        self.files, rule = read_descriptors(self.bytes)
        self.methods = [method for file in self.files.file for method in methods_of(file, rule)]


def protoc(*args):
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("vitrine/v1/*.proto"))
    done = subprocess.run(["protoc", "-I", PROTO, "-I", INCLUDE, *args, *sources,
                           "google/rpc/error_details.proto", "google/api/annotations.proto",
                           "google/api/http.proto"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"render.py: protoc failed:\n{done.stderr}")


def compile_descriptors():
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "vitrine.pb"
        protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={out}")
        return out.read_bytes()


def read_descriptors(data):
    """The set read by a schema that it brings itself, so that its annotations are fields too."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    schema = pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet")
    messages = message_factory.MessageFactory(pool)
    return messages.GetPrototype(schema).FromString(data), pool.FindExtensionByName(HTTP_RULE)


def methods_of(file, http_rule):
    comments = {tuple(place.path): place.leading_comments.strip()
                for place in file.source_code_info.location}
    for s, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        for m, method in enumerate(service.method):
            if name not in UPSTREAMS:
                continue
            rule = method.options.Extensions[http_rule]
            verb = rule.WhichOneof("pattern")
            yield Method(
                service=name, name=method.name, request=method.input_type[1:],
                response=method.output_type[1:], verb=verb or "",
                path=getattr(rule, verb) if verb else "", body=rule.body,
                is_stream=method.server_streaming or method.client_streaming,
                is_read=method.options.idempotency_level ==
                descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS,
                comment=comments.get((6, s, 2, m), ""))
