"""The reviewers' page, served to this machine alone: by loopback, to pages of its own address, and to whoever holds the page's token."""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any, cast
from urllib.parse import parse_qs, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agents.review.desk import Desk
from agents.review.page import review_page
from agents.review.store import Changed, Decision, Verdict
from agents.run import RunError

ADDRESS = "127.0.0.1"
LARGEST = 64 * 1024
"""Bytes of a request's body."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$")]
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Posted(BaseModel):
    """A decision as the page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reviewer: Name
    place: int = Field(ge=0, le=2**31)
    verdict: Verdict
    comment: str = Field(max_length=4000)
    seen: int = Field(ge=0, le=2**31)
    """The version that the reviewer saw; 0: none."""


class ReviewServer(ThreadingHTTPServer):
    """A thread a request; a desk for all of them."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int) -> None:
        """Port 0: any free one. Raises OSError where the port is taken."""
        super().__init__((ADDRESS, port), Handler)
        self.desk = desk
        self.token = secrets.token_urlsafe(24)
        self.hosts = frozenset({f"{ADDRESS}:{self.server_port}", f"localhost:{self.server_port}"})

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = 30
    server_version = "synthtools"
    sys_version = ""

    @property
    def _served(self) -> ReviewServer:
        return cast(ReviewServer, self.server)

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """The page; an episode; a reviewer's decisions; the statistics."""
        if not self._ours():
            return self._refuse(HTTPStatus.FORBIDDEN, "this page is for this machine alone")
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        desk = self._served.desk
        if parts.path == "/":
            return self._send(HTTPStatus.OK, review_page(desk, self._served.token), "text/html; charset=utf-8")
        if parts.path == "/story":
            return self._story(query.get("place", ""))
        if parts.path == "/decisions" and query.get("reviewer"):
            decisions = desk.reviews.decisions(query["reviewer"])
            return self._json({str(one.place): {"verdict": one.verdict, "comment": one.comment, "version": one.version} for one in decisions})
        if parts.path == "/summary":
            return self._json(desk.summary())
        return self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """A decision. Its body is read whatever comes of it, for a connection that is closed on unread bytes may lose the answer."""
        length = self.headers.get("Content-Length", "")
        known = length.isascii() and length.isdigit()
        body = self.rfile.read(min(int(length), 2 * LARGEST)) if known else b""
        if not self._ours() or not self._own_page():
            return self._refuse(HTTPStatus.FORBIDDEN, "decisions are taken from this server's own page; load it anew")
        if self.path != "/decide":
            return self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        if not known or len(body) > LARGEST:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a decision has at most {LARGEST} bytes, and says how many")
        try:
            posted = Posted.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            return self._refuse(HTTPStatus.BAD_REQUEST, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        return self._decide(Decision(posted.reviewer, posted.place, posted.verdict, posted.comment, posted.seen))

    def _decide(self, decision: Decision) -> None:
        try:
            version = self._served.desk.decide(decision)
        except Changed as error:
            return self._refuse(HTTPStatus.CONFLICT, str(error))
        except LookupError as error:
            return self._refuse(HTTPStatus.NOT_FOUND, str(error))
        return self._json({"version": version})

    def _story(self, place: str) -> None:
        try:
            content = self._served.desk.story(int(place) if place.isascii() and place.isdigit() else -1)
        except LookupError as error:
            return self._refuse(HTTPStatus.NOT_FOUND, str(error))
        except RunError as error:
            return self._refuse(HTTPStatus.GONE, str(error))
        return self._send(HTTPStatus.OK, content, "application/json")

    def _ours(self) -> bool:
        """Whether the request names this server, and not another name that leads here."""
        return self.headers.get("Host", "") in self._served.hosts

    def _own_page(self) -> bool:
        """Whether it comes from the page that this server gave out."""
        origin = self.headers.get("Origin", "")
        known = origin in {f"http://{host}" for host in self._served.hosts}
        token = self.headers.get("X-Token", "").encode()
        return known and hmac.compare_digest(token, self._served.token.encode()) and self.headers.get_content_type() == "application/json"

    def _json(self, data: Any) -> None:
        self._send(HTTPStatus.OK, orjson.dumps(data), "application/json")

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, orjson.dumps({"error": message}), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (*_HEADERS.items(), ("Content-Type", kind), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Nothing: decisions are in the file, and requests are nobody's concern."""
