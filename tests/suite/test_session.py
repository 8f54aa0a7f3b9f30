"""The session that sends requests to the ingress: with TLS, as a user of the address, and nothing that is no header."""

import datetime
import http.server
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flask_restate.session import IngressSession
from todo_stack.ports import HOST

SECONDS = 5.0
NAME = "localhost"


class Server(http.server.ThreadingHTTPServer):
    """Answers each call with 201, and keeps the headers that it got."""

    request_queue_size = 64  # more than begin at once: the system drops what is beyond, and tries again in a second

    def __init__(self) -> None:
        super().__init__((HOST, 0), Handler)
        self.got: list[Message] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Answer a call."""
        self.server.got.append(self.headers)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("X-Restate-Id", "inv_x")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose connections end with it."""
    with Server() as server, ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server.serve_forever)
        yield server
        server.shutdown()
        serving.result()


@pytest.fixture
def session() -> Iterator[IngressSession]:
    """What the extension has."""
    session = IngressSession()
    yield session
    session.close()


def certificate(folder: Path) -> Path:
    """Make a certificate that nobody else vouches for, and return its file, which has its key, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "certificate.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return file


def test_tls(server: Server, session: IngressSession, tmp_path: Path) -> None:
    """With TLS, a call is made where the certificate is known, and nothing is sent where it is not."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    endpoint = f"https://{NAME}:{server.server_port}"
    with pytest.raises(requests.ConnectionError, match="certificate verify failed"):
        session.request("POST", endpoint, "/a", SECONDS, b"{}")
    assert server.got == []
    session.close()
    known = IngressSession()
    known.tls["ca_certs"] = str(file)
    assert known.request("POST", endpoint, "/a", SECONDS, b"{}").status_code == 201
    known.close()


def test_user_of_the_address(server: Server, session: IngressSession) -> None:
    """An address may name a user and a password, and each call may have headers of the application."""
    session.headers["Authorization-Of-Ours"] = "token"
    heard: list[str] = []
    session.on_answer.append(lambda answer: heard.append(answer.headers["x-restate-id"]))
    answer = session.request("POST", f"http://a%40b:c@{HOST}:{server.server_port}/below", "/a", SECONDS, b"{}")
    assert (answer.ok, answer.json(), heard) == (True, {}, ["inv_x"])
    (got,) = server.got
    assert got["Authorization"] == f"Basic {b64encode(b'a@b:c').decode()}"
    assert got["Authorization-Of-Ours"] == "token"


@pytest.mark.parametrize("value", ["a\nb", "\u2713"])
def test_what_is_no_header(server: Server, session: IngressSession, value: str) -> None:
    """What cannot be a header is an error of the caller: nothing is sent, and the next call is made."""
    endpoint = f"http://{HOST}:{server.server_port}"
    with pytest.raises(ValueError, match=r"Invalid header|codec can't encode"):
        session.request("POST", endpoint, "/a", SECONDS, b"{}", {"traceparent": value})
    assert session.request("POST", endpoint, "/a", SECONDS, b"{}").status_code == 201
    assert len(server.got) == 1


def test_any_thread(server: Server, session: IngressSession) -> None:
    """Threads that begin at once have their answers."""
    together = threading.Barrier(8)

    def call(_: int) -> int:
        together.wait()
        return session.request("POST", f"http://{HOST}:{server.server_port}", "/a", SECONDS, b"{}").status_code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(8))) == [201] * 8
