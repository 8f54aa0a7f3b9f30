"""Who may enter the PostgreSQL server of a stack: roles whose passwords only the user of the stack can read.

Its superuser is for the stack alone, which makes the databases. What belongs to a database are the roles of
todo_shared.roles, none of which is a superuser: that one may run programs and read files of the machine.
"""

import hashlib
import secrets
from pathlib import Path

from todo_shared.roles import name_of
from todo_stack.errors import StackError
from todo_stack.files import read, write_whole

SUPERUSER = "postgres"
KINDS = ("owner", "writer", "reader")

_FILE = "pgpass"
"""In libpq's format: with PGPASSFILE=.data/pgpass, psql asks for no password."""


def password(data: Path, role: str) -> str:
    """Return the password of a role of the stack on this data folder; the first call makes it."""
    file = data / _FILE
    lines = read(file).splitlines() if file.exists() else []
    known = dict(line.split(":")[3:5] for line in lines if line.count(":") == 4)
    if len(known) != len(lines):
        raise StackError(f"{file} does not hold the passwords of the database: remove it, and new ones are made")
    if role not in known:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        known[role] = secrets.token_hex(32)
        write_whole(file, "".join(f"127.0.0.1:*:*:{name}:{known[name]}\n" for name in known).encode())
    return known[role]


def address(data: Path, port: int, database: str, kind: str) -> str:
    """Return the address of a database of the server at this port, for the superuser or its own role of this kind."""
    role = SUPERUSER if kind == SUPERUSER else name_of(kind, database)
    # Not to whoever has taken the port meanwhile, and asks for the password itself.
    return f"postgresql://{role}:{password(data, role)}@127.0.0.1:{port}/{database}?require_auth=scram-sha-256"


def host_based_authentication(superuser_password: str) -> str:
    """Return the content of pg_hba.conf: nobody without a password.

    It tells this password from others, so that a server with another content has another password, or none.
    """
    digest = hashlib.sha256(superuser_password.encode()).hexdigest()
    return f"# Written when the passwords are. SHA-256: {digest}\nhost all all 127.0.0.1/32 scram-sha-256\n"
