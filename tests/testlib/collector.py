"""A collector of traces for tests: takes spans by OTLP over gRPC, as OpenTelemetry's own published
messages read them, and writes a JSON line for each. The class is for tests; the program below it runs
in a virtual environment that has gRPC."""

import json
import pathlib
import subprocess
import sys
import time

from deployed import free_port
from tools import venv
from vitrine import WAIT_S


class Collector:
    """Away until start(); every life of it writes to the same file."""

    def __init__(self, path):
        self.python = venv("venv-otlp", "grpcio", "opentelemetry-proto")
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.path = pathlib.Path(path)
        self.path.touch()
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [self.python, __file__, self.target, str(self.path)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the collector did not start"

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(WAIT_S)
            self.process = None

    def spans(self, trace=None):
        """What came so far, oldest first; `trace`: of this one."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        spans = [json.loads(line) for line in lines if line.endswith("}")]
        return [span for span in spans if trace in (None, span["trace"])]

    def wait_for(self, what, enough, trace=None):
        """The spans, once `enough(spans)` is true."""
        until = time.monotonic() + WAIT_S
        while not enough(spans := self.spans(trace)):
            assert time.monotonic() < until, f"no {what} came: {spans[-20:]}"
            time.sleep(0.05)
        return spans


# ---- the program ----

def plain(attributes):
    return {pair.key: pair.value.string_value if pair.value.HasField("string_value")
            else pair.value.int_value for pair in attributes}


def lines_of(request):
    for of_resource in request.resource_spans:
        resource = plain(of_resource.resource.attributes)
        for in_scope in of_resource.scope_spans:
            for span in in_scope.spans:
                yield {"resource": resource, "trace": span.trace_id.hex(),
                       "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                       "name": span.name, "kind": span.kind, "begin": span.start_time_unix_nano,
                       "end": span.end_time_unix_nano, "attributes": plain(span.attributes),
                       "events": [event.name for event in span.events],
                       "failed": span.status.code == 2}


def main(address, path):
    from concurrent import futures
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

    class Service(services.TraceServiceServicer):
        def Export(self, request, context):
            text = "".join(json.dumps(line) + "\n" for line in lines_of(request))
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)
            return messages.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    services.add_TraceServiceServicer_to_server(Service(), server)
    server.add_insecure_port(address)
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
