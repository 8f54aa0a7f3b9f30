"""The tests, and the programs beside them. All that they call is on this machine, and the databases are their own."""

import os

from todo_stack.environment import forget_libpq

forget_libpq()
# Both spellings, as a library obeys either; a proxy for the internet stays for what is installed from there.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "127.0.0.1,localhost")))
