"""A server on this machine that plays a provider's, and writes down what it was asked."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str

    @property
    def page(self) -> str:
        return self.query.get("page", "")


@dataclass
class Reply:
    """One answer; `length` is what Content-Length says, if that is not the truth."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    broken: bool = False  # the connection ends without an answer


def as_json(content: Any, **more: Any) -> Reply:
    return Reply(json.dumps(content).encode(), headers={"Content-Type": "application/json"}, **more)


Answerer = Callable[[Asked], Reply]


@dataclass
class Served:
    """The server: its address, and what it was asked."""

    answer: Answerer
    base: str = ""
    asked: list[Asked] = field(default_factory=list)

    def pages(self) -> list[str]:
        return [each.page for each in self.asked]

    def paths(self) -> list[str]:
        return [each.path for each in self.asked]


@contextmanager
def serve(answer: Answerer, certificate: tuple[Path, Path] | None = None) -> Iterator[Served]:
    """Serve until the block ends; over https with a certificate and its key."""
    served = Served(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, else each answer waits 40 ms
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers: Mapping[str, str] = {k.lower(): v for k, v in self.headers.items()}
            asked = Asked(self.command, parts.path, query, dict(headers), body)
            served.asked.append(asked)
            reply = served.answer(asked)
            if reply.broken:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            length = len(reply.body) if reply.length is None else reply.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(reply.body)
            if length != len(reply.body):
                self.close_connection = True

        do_POST = do_GET

        def handle(self) -> None:
            with suppress(ssl.SSLError, ConnectionError):  # a client that does not trust us
                super().handle()

        def finish(self) -> None:
            with suppress(ssl.SSLError, ConnectionError):
                super().finish()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.base = f"{scheme}://127.0.0.1:{server.server_address[1]}/"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
