"""The key pair with which the Restate server signs its requests to the service endpoint."""

import contextlib
import os
from pathlib import Path

import base58
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "publickeyv1_"


def check_public_key(key: str) -> str:
    """Return the key, or raise ValueError if it is not valid: the SDK would fail with a traceback."""
    # Keys come from files, which end with a line break.
    key = key.strip()
    with contextlib.suppress(ValueError):
        if key.startswith(PREFIX) and len(base58.b58decode(key.removeprefix(PREFIX))) == 32:
            return key
    raise ValueError(f"not the public key of a Restate server ({PREFIX}...)")


def public_key(pem_file: Path) -> str:
    """Return the public key for the private key in this file; the first call creates the pair.

    Raises ValueError: the file does not hold an ED25519 key.
    """
    if not pem_file.exists():
        # Write to another file first: a half-written key would be found again at every start.
        new = pem_file.with_name(f"{pem_file.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            private = Ed25519PrivateKey.generate()
            file.write(private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
        new.replace(pem_file)
    try:
        key = pem.load_pem_private_key(pem_file.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{pem_file} is not an ED25519 private key in PEM form: remove it, and a new one is created")
    raw = key.public_key().public_bytes(pem.Encoding.Raw, pem.PublicFormat.Raw)
    return f"{PREFIX}{base58.b58encode(raw).decode()}"
