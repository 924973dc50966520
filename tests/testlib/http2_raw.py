"""HTTP/2 by hand, for clients that misbehave: frames are written as told, in any order and number.

Headers are sent as literals without indexing and without Huffman (RFC 7541, 6.2.2), and what comes
back is told apart by frame type only: enough to attack with, and to see how one was stopped."""

import socket
import ssl
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4  # of SETTINGS
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = struct.pack(">I", 8)
TIMEOUT_S = 30


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def _integer(value, prefix_bits):
    """RFC 7541, 5.1; the bits before the prefix are 0."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def header_block(headers):
    block = b""
    for name, value in headers:
        block += b"\0" + _integer(len(name), 7) + name.encode()
        block += _integer(len(value), 7) + value.encode()
    return block


def call_headers(path, authority, *more):
    return header_block([(":method", "POST"), (":scheme", "https"), (":path", path),
                         (":authority", authority), ("content-type", "application/grpc"),
                         ("te", "trailers"), *more])


class Connection:
    """TLS with ALPN h2 (or without: alpn None), preface and SETTINGS sent."""

    def __init__(self, port, ca, settings=(), alpn="h2"):
        context = ssl.create_default_context(cafile=str(ca))
        if alpn is not None:
            context.set_alpn_protocols([alpn])
        plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wire = context.wrap_socket(plain, server_hostname="localhost")
        self.next_stream = 1
        if alpn == "h2":
            payload = b"".join(struct.pack(">HI", key, value) for key, value in settings)
            self.send(PREFACE + frame(SETTINGS, 0, 0, payload))

    def send(self, data):
        """False: the other side has hung up."""
        try:
            self.wire.sendall(data)
            return True
        except (ssl.SSLError, OSError):
            return False

    def stream(self):
        taken, self.next_stream = self.next_stream, self.next_stream + 2
        return taken

    def read_frames(self):
        """(kind, flags, stream, payload) until the other side hangs up."""
        rest = b""
        while True:
            while len(rest) >= 9 and len(rest) >= 9 + int.from_bytes(rest[:3], "big"):
                size = int.from_bytes(rest[:3], "big")
                stream = int.from_bytes(rest[5:9], "big") & 0x7fffffff
                yield rest[3], rest[4], stream, rest[9:9 + size]
                rest = rest[9 + size:]
            try:
                chunk = self.wire.recv(65536)
            except (ssl.SSLError, OSError):
                return
            if not chunk:
                return
            rest += chunk

    def close(self):
        self.wire.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
