"""The key pair with which the Restate server signs its requests to the service endpoint.

`python -m todo_stack.identity PEM_FILE PUBLIC_KEY_FILE` makes the pair, if there is none yet, and writes both files.
"""

import sys
from pathlib import Path

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from todo_stack.errors import StackError
from todo_stack.secrets import kept


def public_key(pem_file: Path) -> str:
    """Return the public key as Restate writes it, `publickeyv1_<base58>`; the pair is made the first time.

    Raises:
        StackError: if the file holds no ED25519 key.

    """
    pem = kept(pem_file, _new_private_key)
    try:
        private = load_pem_private_key(pem, password=None)
    except ValueError:
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise StackError(f"{pem_file} is not an ED25519 private key in PEM form: remove it, and a new one is made")
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"publickeyv1_{base58.b58encode(raw).decode()}"


def _new_private_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main(pem_file: str, public_key_file: str) -> None:
    """Write the public key, which everybody may read, beside the private one."""
    Path(public_key_file).write_text(public_key(Path(pem_file)))


if __name__ == "__main__":
    main(*sys.argv[1:])
