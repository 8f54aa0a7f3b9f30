"""What a request must be before a route sees it: for a host of ours, whole, of text, and from a page of ours."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from flask import Flask, current_app, request
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
from werkzeug.routing import IntegerConverter
from werkzeug.wrappers import Response

from todo_shared.errors import ForeignFormError, is_api
from todo_shared.hosts import host_name, is_trusted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY_BYTES = 64 * 1024
"""The largest body that is accepted."""

_CUT_OFF = "The request ended before its body was complete."
# Their clients are probes, which know the address but not the name.
_HEALTH_CHECKS = ("/healthz", "/readyz")
_FETCHED_FROM_US = {"same-origin": True, "none": True, "same-site": False, "cross-site": False}


class EncodedBodyError(UnsupportedMediaType):
    """A body is compressed."""

    description = "Send the body as it is, not compressed or encoded."

    def get_headers(
        self, environ: "WSGIEnvironment | None" = None, scope: dict[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers of the answer, which say what is accepted."""
        return [*super().get_headers(environ, scope), ("Accept-Encoding", "identity")]


class PlainInteger(IntegerConverter):
    """A positive number as we write it: ASCII digits without leading zeros. Python reads 4,300 digits and no more."""

    regex = "[1-9][0-9]{0,999}"


def register(app: Flask, trusted_hosts: Collection[str]) -> None:
    """Check each request of the application in this way. No trusted hosts mean any host."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # Flask-WTF would demand a Referer over HTTPS, which some browsers never send.
    app.config["WTF_CSRF_SSL_STRICT"] = False
    app.url_map.converters["int"] = PlainInteger
    app.wsgi_app = _without_bad_host(app.wsgi_app)  # type: ignore[assignment, method-assign]  # Flask's way

    @app.before_request
    def check() -> None:
        _check_host(trusted_hosts)
        if "CONTENT_LENGTH" in request.environ or "HTTP_TRANSFER_ENCODING" in request.environ:
            _check_body()
        if request.method == "POST" and request.endpoint and not is_api():
            _check_origin()

    # Flask's after_request functions run last to first, so this one comes after those of Flask-CORS.
    @app.after_request
    def offer_only_methods_of_this_address(response: Response) -> Response:
        if response.headers.pop("Access-Control-Allow-Methods", None) and "Allow" in response.headers:
            response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
        return response


def _without_bad_host(wsgi_app: "WSGIApplication") -> "WSGIApplication":
    """Empty a Host header that is no host, because Flask cannot make the links of an error page for some of them."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if "HTTP_HOST" in environ and not host_name(environ["HTTP_HOST"]):
            environ["HTTP_HOST"] = ""
        return wsgi_app(environ, start_response)

    return application


def _check_host(trusted: Collection[str]) -> None:
    environ = request.environ
    # Without the header, which old clients need not send, links have the address that we listen on.
    required = environ["SERVER_PROTOCOL"] != "HTTP/1.0"
    name = None if required and "HTTP_HOST" not in environ else host_name(request.host)
    if name is None:
        raise BadRequest("The request's Host header is not a host.")
    if request.scheme not in ("http", "https"):
        raise BadRequest("The request's scheme, by X-Forwarded-Proto, is neither http nor https.")
    # A request line may have a host of its own.
    target: str = environ.get("RAW_URI", "/")
    if (
        not target.startswith(("/", "*"))
        and target.partition("://")[2].partition("/")[0].lower() != request.host.lower()
    ):
        raise BadRequest("The request has two different hosts.")
    if trusted and request.path not in _HEALTH_CHECKS and not is_trusted(name, trusted):
        raise BadRequest("This host is not one of ours.")


def _check_body() -> None:
    """Read the body, also where no route reads it: a request that was cut off must not be carried out."""
    try:
        body = request.get_data()
        # Werkzeug stops at the limit if the length is not declared.
        more = len(body) == MAX_BODY_BYTES and request.content_length is None and request.environ["wsgi.input"].read(1)
    except ClientDisconnected:
        raise BadRequest(_CUT_OFF) from None
    except HTTPException:
        raise
    except Exception as error:
        # gunicorn's own exceptions, of several kinds, for a malformed chunk.
        raise BadRequest("The request's body is malformed.") from error
    if more:
        raise RequestEntityTooLarge
    if len(body) < (request.content_length or 0):
        raise BadRequest(_CUT_OFF)
    codings = [request.headers.get("Content-Encoding", "identity"), request.headers.get("Transfer-Encoding", "chunked")]
    if body and [coding.lower() for coding in codings] != ["identity", "chunked"]:
        raise EncodedBodyError
    if not is_api():
        _check_form(body)


def _check_form(body: bytes) -> None:
    if request.mimetype == "application/x-www-form-urlencoded":
        body = unquote_to_bytes(body)
    if "form" in request.mimetype:
        try:
            body.decode()
        except UnicodeDecodeError:
            # Werkzeug would replace it.
            raise BadRequest("The form is not UTF-8.") from None
    if request.mimetype == "multipart/form-data":
        if request.files:
            raise BadRequest("A file was sent where a text belongs.")
        # Of a part without a name, which Flask-WTF does not expect.
        if None in request.form:
            raise BadRequest("A part of the form has no name.")


def _check_origin() -> None:
    """Let nobody else's page submit a form, even with a token that it may have got hold of.

    A browser says by one of three headers where a form was. Some leave out the Referer and make the Origin "null".
    """
    origin = request.headers.get("Origin", "null")
    # No page can set the first, and it holds whatever host a proxy asks us for.
    is_ours = _FETCHED_FROM_US.get(request.headers.get("Sec-Fetch-Site", ""))
    if is_ours is None and origin != "null":
        is_ours = _is_ours(origin)
    elif is_ours is None and request.is_secure and request.referrer:
        is_ours = _is_ours(request.referrer)
    if is_ours is False:
        # If all forms are: the proxy in front changes the Host, and TRUSTED_PROXIES is not set.
        current_app.logger.warning("refused a form of %s, which is not our host %s", origin, request.host)
        raise ForeignFormError("This form was submitted from a page of another site. Please submit it once more here.")
    if is_ours is None and request.is_secure:
        raise ForeignFormError(
            "Your browser does not say from which page this form is: it sends no Origin, no Sec-Fetch-Site and no "
            "Referer header. Please let it send one of them, and submit the form once more."
        )


def _is_ours(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    # The reverse: a proxy that serves HTTPS need not have told us.
    scheme_is_ours = parts.scheme == "https" or (parts.scheme == "http" and not request.is_secure)
    return scheme_is_ours and parts.netloc.lower() == request.host.lower()
