"""A request as bytes, and what may be odd in it: careless, or as nobody should write it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", "")
HOSTS = (
    b"",
    b" ",
    b'a b"<',
    b"x" * 300,
    b"127.0.0.1:99999",
    b"[::1]",
    b"a,b",
    b"\xff",
    b"localhost:",
    b"user@host",
    b"..",
)
METHODS = (b"PUT", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"", b"X" * 30, b"G\x00T", b"PRI")
TARGETS = (
    b"*",
    b"",
    b"//",
    b"/%",
    b"/%00",
    b"/%ff",
    b"/..%2f..",
    b"/static/../x",
    b"http://x/api/todos",
    b"/?page=%F0",
    b"/api",
    b"/api/todos/\xd9\xa1",
    b"/api/todos/%D9%A1",
    b"/api/todos/1/",
    b"/api/todos?x=" + b"y" * 5000,
    b"/static/todo.css",
    b"/?page=99999999999999999999",
    b"/?page=-1",
    b"/api/openapi.json",
    b"/api/operations/%2e%2e%2fhealth",
    b"/healthz?\x01",
)
VERSIONS = (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.9", b"HTTP/", b"", b"http/1.1", b"HTTP/1.1 x")
HEADERS = (
    (b"Content-Encoding", b"gzip"),
    (b"Accept-Encoding", b"gzip;q=x"),
    (b"Expect", b"100-continue"),
    (b"Expect", b"x"),
    (b"Transfer-Encoding", b"gzip"),
    (b"Transfer-Encoding", b"chunked, identity"),
    (b"Transfer-Encoding", b"xchunked"),
    (b"Connection", b"upgrade"),
    (b"Upgrade", b"h2c"),
    (b"Range", b"bytes=0-x"),
    (b"If-None-Match", b'"x'),
    (b"If-Modified-Since", b"yesterday"),
    (b"Cookie", b"flask-todo-session=x.y.z; =; ;;"),
    (b"Accept-Language", b"\xff"),
    (b"Content-Type", b"application/json; charset=x-none"),
    (b"Content-Type", b"multipart/form-data"),
    (b"Content-Type", b"/"),
    (b"Origin", b"\x00"),
    (b"Forwarded", b"for=x"),
    (b"X-Forwarded-Host", b'a b"<'),
    (b"X-Forwarded-Proto", b"ftp"),
    (b"X-Forwarded-For", b"x" * 2000),
    (b"Access-Control-Request-Method", b"X"),
    (b"Authorization", b"Basic ="),
    (b"X", b"y" * 9000),
    (b"x y", b"z"),
    (b"", b"z"),
    (b"X\x00", b"z"),
    (b"X", b"a\r\n b"),
    (b"X_Y", b"z"),
)
LENGTHS = (b"0", b"-1", b"+5", b"5, 5", b"x", b"", b"1e3", b"0x10", b"99999999999999999999", b"70000", b"\xb2")
CHUNKINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    lambda body: b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n",
    lambda body: b"zz\r\n%s\r\n0\r\n\r\n" % body,
    lambda body: b"-5\r\n%s\r\n0\r\n\r\n" % body,
    lambda body: b"%x\r\n%s\r\n" % (len(body), body),
    lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) + 9, body),
    lambda body: b"%x\r\n%s0\r\n\r\n" % (len(body), body),
    lambda body: b"%x;a=%s\r\n%s\r\n0\r\n\r\n" % (len(body), b"x" * 99, body),
    lambda body: b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(body), body),
    lambda body: b"f" * 40 + b"\r\n%s" % body,
    lambda _body: b"",
    lambda _body: b"\r\n\r\n",
)


@dataclass
class Draft:
    """A request that is not written down yet."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    written: bytes | None = None
    """The body with its framing, where it is not the body itself."""
    end_of_line: bytes = b"\r\n"
    sound: bool = True
    """Whether any server must see one whole request in it, so that its connection can be used again."""
    torn: bool = False
    """Whether it ends before its body does, and is good otherwise."""

    def set_header(self, name: bytes, value: bytes) -> None:
        """Set it in place of any other of this name."""
        self.headers = [header for header in self.headers if header[0].lower() != name.lower()]
        self.headers.append((name, value))

    def to_bytes(self) -> bytes:
        """Return it as it is sent."""
        lines = [b"%s %s %s" % (self.method, self.target, self.version), *map(b": ".join, self.headers), b""]
        return b"".join(line + self.end_of_line for line in lines) + (
            self.body if self.written is None else self.written
        )


def _framing(draft: Draft, random: Random) -> None:
    draft.sound = False
    if random.random() < 0.5:
        draft.set_header(b"Content-Length", random.choice(LENGTHS))
        return
    draft.headers = [header for header in draft.headers if header[0] != b"Content-Length" or random.random() < 0.1]
    draft.headers.append((b"Transfer-Encoding", b"chunked"))
    draft.written = random.choice(CHUNKINGS)(draft.body)


def cut(draft: Draft, random: Random) -> None:
    """Leave out the end of the body, which may be all of it, or nothing."""
    draft.sound = False
    draft.written = draft.body[: random.randrange(len(draft.body) + 1)]


def _larger(draft: Draft, random: Random) -> None:
    draft.body += b" " * random.choice((1, 65_000, 65_536, 70_000))
    draft.set_header(b"Content-Length", b"%d" % len(draft.body))
    # The server may refuse it and close before it has read it.
    draft.sound = False


def _host(draft: Draft, random: Random) -> None:
    draft.sound = False
    if random.random() < 0.3:
        draft.headers = [header for header in draft.headers if header[0] != b"Host" or random.random() < 0.5]
        draft.headers.append((b"Host", random.choice(HOSTS)))
    else:
        draft.set_header(b"Host", random.choice(HOSTS))


def _head(draft: Draft, random: Random) -> None:
    draft.sound = False
    part = random.randrange(5)
    if part == 0:
        draft.method = random.choice(METHODS)
    elif part == 1:
        draft.target = random.choice(TARGETS)
    elif part == 2:
        draft.version = random.choice(VERSIONS)
    elif part == 3:
        draft.end_of_line = random.choice((b"\n", b"\r", b"\r\n\r\n", b" \r\n"))
    else:
        draft.headers *= random.choice((0, 2, 40))


def _header(draft: Draft, random: Random) -> None:
    draft.sound = False
    draft.headers.insert(random.randrange(len(draft.headers) + 1), random.choice(HEADERS))


def _type(draft: Draft, random: Random) -> None:
    draft.set_header(b"Content-Type", random.choice(TYPES).encode())


def _bytes_of_body(draft: Draft, random: Random) -> None:
    draft.body = _mutated(draft.body, random)
    if draft.body:
        draft.set_header(b"Content-Length", b"%d" % len(draft.body))


def _bytes_of_target(draft: Draft, random: Random) -> None:
    draft.sound = False
    draft.target = _mutated(draft.target, random)


def _mutated(data: bytes, random: Random) -> bytes:
    """Return it with some bytes changed, doubled, left out or put in."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        at, length = random.randrange(len(changed) + 1), random.choice((1, 1, 4, 20))
        changed[at : at + length] = random.choice(
            (random.randbytes(length), b"", changed[at : at + length] * 2, random.randbytes(1), b"%00", b"\\u0000")
        )
    return bytes(changed)


ODDITIES: tuple[Callable[[Draft, Random], None], ...] = (
    _framing,
    cut,
    _larger,
    _host,
    _head,
    _head,
    _header,
    _header,
    _type,
    _bytes_of_body,
    _bytes_of_body,
    _bytes_of_target,
)
