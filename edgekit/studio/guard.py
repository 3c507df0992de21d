"""Who may ask the studio's server: its own page, opened by whoever can read the terminal.

Any page that the user has open can send requests to loopback, and so can any program of another user. So a request
has to name this server as its host (a name that was rebound to 127.0.0.1 does not), must not come from another page
(`Origin`, `Sec-Fetch-Site`), and for everything but the page's own code has to show a token that only the terminal and
the page know. It travels in the address's fragment, which browsers send to nobody, and from there in a header; a cookie
would go to every server on this machine.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What a page may load and ask, and who may frame it.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
#: Sent with every answer. The last three make the page cross-origin isolated, so that networks may use threads.
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
}
PRIVATE = "/api/"


class Guard:
    """Lets through what may pass; see above. names: hosts with port that are this server."""

    def __init__(self, app: ASGIApp, token: str, names: frozenset[str]) -> None:
        self._app, self._token, self._names = app, token, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer of the app's, or a refusal; nothing but HTTP."""
        if scope["type"] != "http":
            return
        refused = self._refusal(Headers(scope=scope), scope["path"])
        app = self._app if refused is None else PlainTextResponse(refused[1], refused[0])
        await app(scope, receive, _with_headers(send))

    def _refusal(self, headers: Headers, path: str) -> tuple[int, str] | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            return 403, "refused: the request is for another host"
        if origins and [origin.lower() for origin in origins] != [f"http://{hosts[0].lower()}"]:
            return 403, "refused: the request is another page's"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "refused: the request is another page's"
        if path.startswith(PRIVATE) and not self._knows(headers):
            return 401, "refused: no token, or another one; open the address that `edgekit studio` printed"
        return None

    def _knows(self, headers: Headers) -> bool:
        shown = headers.getlist("authorization")
        expected = f"Bearer {self._token}".encode()
        return len(shown) == 1 and secrets.compare_digest(shown[0].encode(), expected)


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return answer
