"""The database's roles, so that no process may do more than it needs: owner, writer and reader.

`python -m todo_shared.roles`, with the superuser's DATABASE_URL, creates those that have a password. Repeating it
changes nothing but the passwords. The owner gets what an earlier version had made as the superuser.
"""

import contextlib
import sys
from collections.abc import Mapping

import psycopg2
from psycopg2.sql import SQL, Composable, Identifier, Literal
from pydantic import SecretStr
from sqlalchemy import URL

from todo_shared.models.database import complete_url
from todo_shared.settings import DatabaseSettings, load

RIGHTS = {
    "writer": "SELECT, INSERT, UPDATE, DELETE",
    "reader": "SELECT",
}
"""What each role may do with the owner's tables."""

_LOCK = 7_030_518
# Without those that have this owner: to change an owner takes a lock for which all readers and writers wait.
_TABLES = """
    SELECT relname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND rolname <> %s
"""


def name_of(kind: str, database: str) -> str:
    """Return the name of a role: each database has its own, because a server's roles are for all its databases."""
    return f"{database}_{kind}"


def create(superuser: URL, passwords: Mapping[str, str]) -> None:
    """Create the database's roles, by kind with their passwords (str): `owner`, `writer` and `reader` as needed.

    Raises psycopg2.Error: the database cannot be reached, or the role in the URL is no superuser.
    """
    database = str(superuser.database)
    names = {kind: Identifier(name_of(kind, database)) for kind in passwords}
    dsn = superuser.set(drivername="postgresql").render_as_string(hide_password=False)
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:

        def execute(statement: str, *parts: Composable) -> None:
            cursor.execute(SQL(statement).format(*parts))

        # What the owner has put into its schema must not be what is called here.
        execute("SET LOCAL search_path = pg_catalog, pg_temp")
        execute("SELECT pg_advisory_xact_lock({})", Literal(_LOCK))
        for kind, password in passwords.items():
            cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [name_of(kind, database)])
            if not cursor.rowcount:
                execute("CREATE ROLE {}", names[kind])
            no_rights = "ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"
            execute(no_rights, names[kind], Literal(password))
        owner = names["owner"]
        execute("REVOKE ALL ON DATABASE {} FROM PUBLIC", Identifier(database))
        # With these, who may only read could write large objects.
        execute("REVOKE ALL ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC")
        execute("ALTER DATABASE {} OWNER TO {}", Identifier(database), owner)
        execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        execute("ALTER SCHEMA public OWNER TO {}", owner)
        cursor.execute(_TABLES, [name_of("owner", database)])
        for (table,) in cursor.fetchall():
            execute("ALTER TABLE public.{} OWNER TO {}", Identifier(table), owner)
        for kind in names.keys() & RIGHTS.keys():
            rights, role = SQL(RIGHTS[kind]), names[kind]
            execute("GRANT CONNECT ON DATABASE {} TO {}", Identifier(database), role)
            execute("GRANT USAGE ON SCHEMA public TO {}", role)
            execute("GRANT {} ON ALL TABLES IN SCHEMA public TO {}", rights, role)
            execute(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT {} ON TABLES TO {}", owner, rights, role
            )


class RoleSettings(DatabaseSettings):
    """Read from the environment: the superuser's DATABASE_URL, and the password of each role that is wanted."""

    database_owner_password: SecretStr
    database_writer_password: SecretStr
    database_reader_password: SecretStr | None = None


def main() -> None:
    """Create the roles."""
    settings = load(RoleSettings)
    secrets = {
        "owner": settings.database_owner_password,
        "writer": settings.database_writer_password,
        "reader": settings.database_reader_password,
    }
    passwords = {kind: secret.get_secret_value() for kind, secret in secrets.items() if secret}
    try:
        create(complete_url(settings.database_url, settings), passwords)
    except psycopg2.Error as error:
        # Such as the superuser's password, which stays as it was when the data was made.
        sys.exit(f"The database's roles cannot be made: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
