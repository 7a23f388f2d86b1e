"""The page of `gristmill judge` over HTTP: Python's own server, three files and three calls, nothing from elsewhere.

Each annotator has a link with a key after its ``#``, which browsers never send; the page sends it in a header with each call. So another
site, or another user of the machine, can neither read nor vote: a foreign page cannot set the header, and one whose name was made to
point here (DNS rebinding) is turned away by its Host.

    with JudgeServer(session, host="127.0.0.1", port=0) as server:
        print(server.link("anna"))
        server.serve_forever()
"""

import ipaddress
import json
import socket
import sqlite3
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, final
from urllib.parse import quote, urlsplit

from corpus.errors import EnvironmentProblem
from corpus.report.page import style
from modeling.judging.session import Refused, Session

KEY_HEADER = "X-Judge-Key"
_MAX_BODY = 1 << 16  # bytes: a comment of 2,000 characters, escaped, is 24,000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/judge.css": ("judge.css", "text/css; charset=utf-8"),
    "/judge.js": ("judge.js", "text/javascript; charset=utf-8"),
}


@final
class JudgeServer(ThreadingHTTPServer):
    """One session on one address. Raises EnvironmentProblem where the address cannot be had."""

    daemon_threads = True

    def __init__(self, session: Session, *, host: str, port: int):
        self.session, self.host = session, host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.files = {path: (_file(name), kind) for path, (name, kind) in _FILES.items()}
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise EnvironmentProblem("cannot serve here", where=f"{host}:{port}", hint=f"{error}; try another --port") from error

    def server_bind(self) -> None:
        """As TCPServer's: HTTPServer's asks the network for the machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.host, self.server_address[1]

    def link(self, annotator: str) -> str:
        """The address to open; whoever has it votes as this annotator."""
        name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(self.host, self.host)
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.server_port}/#{quote(self.session.key_of(annotator))}"

    def knows(self, host: str) -> bool:
        """Whether a Host header may be ours: an address, this machine's name, or the name it was told to serve under."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in ("localhost", self.host.lower(), socket.gethostname().lower()):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


@final
class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer
    server_version, sys_version = "gristmill", ""  # HTTP/1.0: a request a connection, so that no stopped server answers on an old one
    timeout = 60  # seconds
    wbufsize = 1 << 16  # head and body in one packet: two wait 40 ms for each other's acknowledgement

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        if self.path in self.server.files:
            self._send(200, *self.server.files[self.path])
        elif self.path == "/state":
            self._answer(lambda annotator, _: self.server.session.state(annotator), {})
        else:
            self._say(404, "there is nothing here")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or ""
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 10 else None
        body = self.rfile.read(min(size or 0, 4 * _MAX_BODY))  # before any refusal: closed with bytes unread, it would never arrive
        if not self._is_for_us():
            return
        calls = {"/vote": self.server.session.vote, "/undo": lambda annotator, _: self.server.session.undo(annotator)}
        if self.path not in calls:
            self._say(404, "there is nothing here")
        elif size is None or size > _MAX_BODY:
            self._say(413, f"a request has a Content-Length, of at most {_MAX_BODY:,} bytes")
        elif (told := self._told(body)) is not None:
            self._answer(calls[self.path], told)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _is_for_us(self) -> bool:
        if self.server.knows(self.headers.get("Host") or ""):
            return True
        self._say(421, "this server does not go by that name")
        return False

    def _told(self, body: bytes) -> dict[str, Any] | None:
        """The body as a JSON object; else says what is wrong with it."""
        if self.headers.get_content_type() != "application/json":
            self._say(415, "a request is application/json")
        else:
            try:
                told = json.loads(body)
            except (ValueError, RecursionError):
                told = None
            if isinstance(told, dict):
                return told
            self._say(400, "a request is a JSON object")
        return None

    def _answer(self, call: Callable[[str, dict[str, Any]], dict[str, Any]], told: dict[str, Any]) -> None:
        annotator = self.server.session.who(self.headers.get(KEY_HEADER) or "")
        if annotator is None:
            return self._say(403, "open the link that gristmill judge printed: the key in this one is not known")
        try:
            self._send(200, json.dumps(call(annotator, told)).encode(), "application/json")
        except Refused as refusal:
            self._say(refusal.status, str(refusal))
        except sqlite3.Error as error:  # a full disk, a file taken away: the page keeps the vote and says so
            self._say(500, f"the vote could not be saved: {error}")

    def _say(self, status: int, what: str) -> None:
        self._send(status, json.dumps({"error": what}).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _file(name: str) -> bytes:
    content = resources.files("modeling.resources").joinpath("judge", name).read_text(encoding="utf-8")
    return (f"{style()}\n{content}" if name.endswith(".css") else content).encode()
