"""A web server on the loopback that answers for all hosts of the demo.

with serving(site) as port: ...
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from corpus.demo.site import Answer, Site

_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"  # always: the same crawl gives the same bytes
_CHUNK = 4096


@contextmanager
def serving(site: Site) -> Iterator[int]:
    """Serve the site on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "mill", ""
        wbufsize = 1 << 16  # head and body in one packet: two wait 40 ms for each other's acknowledgement

        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").partition(":")[0]
            _send(self, site.answers.get((host, self.path), Answer(b"<h1>404</h1>", 404)))

        def date_time_string(self, timestamp: float | None = None) -> str:
            return _DATE

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers:
        handler.send_header(name, value)
    if answer.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        chunks = [answer.body[at : at + _CHUNK] for at in range(0, len(answer.body), _CHUNK)]
        handler.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
        return
    handler.send_header("Content-Length", str(len(answer.body) + (500 if answer.cut else 0)))
    handler.end_headers()
    handler.wfile.write(answer.body)
    handler.close_connection = answer.cut
