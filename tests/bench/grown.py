"""Tables with many rows, and the purge of the ledger among them.

python -m tests.bench.grown     # purges once, with the service endpoint's environment
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta

import psycopg

from flask_todo_restate.services.database import ledger, sessions
from flask_todo_restate.settings import ServiceSettings
from tests.bench.load import LoadError
from todo_shared.settings import load
from todo_stack.applications import REPOSITORY

_TODOS = "INSERT INTO todo (task) SELECT 'grown ' || number FROM generate_series(1, %(rows)s) AS number"

# Ids in no order, as those of calls are. Half of the rows are a month old and more, the others less than six days.
_LEDGER = """
    INSERT INTO operation (operation_id, result, created_at)
    SELECT 'inv_' || md5(number::text) || '/db_add',
           jsonb_build_object('id', number, 'task', 'grown ' || number, 'completed', false, 'order', null),
           now() - CASE WHEN number <= %(half)s THEN interval '30 days' ELSE interval '0' END
                 - (number %% %(half)s) * interval '1 second'
    FROM generate_series(1, %(rows)s) AS number
"""


def grow(database_url: str, rows: int, *, with_ledger: bool) -> None:
    """Give the tables so many rows and no others; half of the ledger's are old enough to be purged."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE todo, operation RESTART IDENTITY")
        connection.execute(_TODOS, {"rows": rows})
        if with_ledger:
            connection.execute(_LEDGER, {"rows": rows, "half": rows // 2})
        # Now and not by themselves in the middle of a sample.
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def purge(environment: Mapping[str, str], expected: int) -> float:
    """Return the seconds that the ledger's purge took, in a process with this environment.

    Raises:
        LoadError: it failed, or deleted another number of rows.

    """
    command = [sys.executable, "-m", "tests.bench.grown"]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(f"the purge of {expected:,} rows failed: {done.stderr.strip()[-2000:]}")
    answer = json.loads(done.stdout)
    if answer["rows"] != expected:
        raise LoadError(f"the purge deleted {answer['rows']:,} rows instead of {expected:,}")
    return round(float(answer["seconds"]), 3)


def main() -> None:
    """Purge, and print the number of rows and the seconds as JSON."""
    older_than = timedelta(days=load(ServiceSettings).ledger_retention_days)
    with sessions()() as session:
        # Makes the connection, which is there already in the service endpoint.
        session.connection()
    began = time.perf_counter()
    rows = ledger.purge(older_than)
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
