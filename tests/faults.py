"""An S3 server with faults: moto's, behind a proxy that answers as a plan says.

with faulty_store(plan) as store: ...   # plan(method, path, number) -> None, 503, "slow", "truncate", "reset"
"""

import http.client
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from moto.server import ThreadedMotoServer

Fault = int | str | None
Plan = Callable[[str, str, int], Fault]
BUCKET = "bucket"
_SLOW_SECONDS = 0.5


@dataclass
class Store:
    """``settings``: what a process needs in its environment; ``client``: past the proxy, for putting and looking."""

    settings: Mapping[str, str]
    client: object
    plan: Plan
    given: list[tuple[str, str, Fault]] = field(default_factory=list)  # faults that were answered
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, method: str, path: str) -> Fault:
        with self.lock:
            self.requests += 1
            fault = self.plan(method, path, self.requests)
            if fault is not None:
                self.given.append((method, path, fault))
            return fault

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)  # type: ignore[attr-defined]

    def listed(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=BUCKET)  # type: ignore[attr-defined]
        return [entry["Key"] for entry in listed.get("Contents", ())]

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()  # type: ignore[attr-defined,no-any-return]


@contextmanager
def faulty_store(plan: Plan) -> Iterator[Store]:
    """A bucket whose requests go through the plan. Keys and secrets are of no value."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys)
    urllib.request.urlopen(
        urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    ).close()  # servers share their state
    client.create_bucket(Bucket=BUCKET)
    store = Store({}, client, plan)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store, host, port))
    proxy.daemon_threads = True
    store.settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_address[1]}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield store
    finally:
        proxy.shutdown()
        server.stop()


@contextmanager
def in_this_process(settings: Mapping[str, str]) -> Iterator[None]:
    """The store's settings in our own environment until the block ends."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _handler(store: Store, host: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def forward(self) -> None:
            body = self.read_body()
            fault = store.next_fault(self.command, self.path)
            if fault == "reset":
                self.close_connection = True
                return
            if isinstance(fault, int):
                self.answer(fault, [], b"<Error><Code>SlowDown</Code></Error>" if fault == 503 else b"")
                return
            if fault == "slow":
                time.sleep(_SLOW_SECONDS)
            upstream = http.client.HTTPConnection(host, port, timeout=60)
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "content-length")}
            upstream.request(self.command, self.path, body, {**kept, "Content-Length": str(len(body))})
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            self.answer(answer.status, answer.getheaders(), content, truncate=fault == "truncate")

        def read_body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, truncate: bool = False) -> None:
            self.send_response_only(status)
            told = [(name, value) for name, value in headers if name.lower() not in ("transfer-encoding", "connection")]
            for name, value in told:
                self.send_header(name, value)
            if "content-length" not in {name.lower() for name, _ in told}:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if truncate else content)
            if truncate:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

    return Handler
