"""Who may enter the PostgreSQL server of a stack: two roles, whose passwords only the user of the stack can read."""

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from todo_stack.errors import StackError
from todo_stack.files import read, write_whole

SUPERUSER = "postgres"
"""For the stack alone: it makes databases."""
APPLICATIONS = "todo"
"""Owns the databases of the twins, and is no superuser: that one may run programs and read files of the machine."""

_FILE = "pgpass"
"""In libpq's format: with PGPASSFILE=.data/pgpass, psql asks for no password."""


def passwords(data: Path) -> dict[str, str]:
    """Return the password of each role of the stack on this data folder; the first call makes them."""
    file = data / _FILE
    if not file.exists():
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = (f"127.0.0.1:*:*:{role}:{secrets.token_hex(32)}\n" for role in (SUPERUSER, APPLICATIONS))
        write_whole(file, "".join(new).encode())
    found = dict(line.split(":")[3:5] for line in read(file).splitlines() if line.count(":") == 4)
    if found.keys() != {SUPERUSER, APPLICATIONS}:
        raise StackError(f"{file} does not hold the passwords of the database: remove it, and new ones are made")
    return found


def address(port: int, database: str, role: str, password: str) -> str:
    """Return the address of a database of the server at this port."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def host_based_authentication(known: Mapping[str, str]) -> str:
    """Return the content of pg_hba.conf: nobody without a password.

    It tells these passwords from others, so that a server with another content has other passwords, or none.
    """
    digest = hashlib.sha256("".join(known.values()).encode()).hexdigest()
    return f"# Written by the stack for the passwords {digest}\nhost all all 127.0.0.1/32 scram-sha-256\n"


def statements(known: Mapping[str, str]) -> str:
    """Return what gives the roles these passwords, whether they are there or not; for the single-user mode."""
    missing = f"NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATIONS}')"
    lines = [
        "SET password_encryption = 'scram-sha-256';",
        f"DO $$BEGIN IF {missing} THEN CREATE ROLE {APPLICATIONS}; END IF; END$$;",
        f"ALTER ROLE {APPLICATIONS} NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS CREATEDB LOGIN;",
        *(f"ALTER ROLE {role} PASSWORD '{password}';" for role, password in known.items()),
    ]
    return "".join(f"{line}\n" for line in lines)


TAKE_TABLES = f"""
    DO $$DECLARE item regclass; BEGIN
        FOR item IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
            AND relowner = '{SUPERUSER}'::regrole
        LOOP EXECUTE format('ALTER TABLE %s OWNER TO {APPLICATIONS}', item); END LOOP;
    END$$
"""  # noqa: S608 (nothing in it comes from outside)
"""Makes the tables of an earlier version, which were the superuser's, those of the applications."""
