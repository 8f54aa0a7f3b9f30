"""The command line: `python -m todo_stack up plain|restate|both`, `kill`, `stop`, `pause`, `start`, `reset`."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from todo_stack import data_folder, orders
from todo_stack.environment import forget_libpq
from todo_stack.errors import StackError, StopRequested, one_line
from todo_stack.paths import DATA
from todo_stack.ports import Ports
from todo_stack.size import Size
from todo_stack.stack import Stack
from todo_stack.supervisor import Supervisor
from todo_stack.terminal import Terminal
from todo_stack.twins import RESTATE, TWINS, twin_named
from todo_stack.unprivileged import remove

_data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA,
    envvar="TODO_DATA",
    help="Folder that keeps everything.",
    show_default=True,
)


@click.group()
def main() -> None:
    """Run the todo applications with real servers on this machine."""


@main.command()
@click.argument("which", type=click.Choice([*map(str, TWINS), "both"]))
@_data_option
def up(which: str, data: Path) -> None:
    """Start the servers of one twin or both, start again what dies, and stop them on Ctrl-C."""
    stop_requested = threading.Event()
    # With nobody to read the log, nobody uses the stack either.
    terminal = Terminal(gone=stop_requested)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # An event and not an exception: everything that waits looks at it, and nothing is interrupted half-way.
        # A second Ctrl-C changes nothing, and the stop goes on.
        signal.signal(number, lambda _number, _frame: stop_requested.set())
    twins = TWINS if which == "both" else (twin_named(which),)
    external_database = os.environ.get("DATABASE_URL")
    if not external_database:
        forget_libpq()
    try:
        stack = Stack(
            twins,
            data=data,
            ports=Ports.from_environment(twins, os.environ),
            size=Size.from_environment(os.environ),
            external_database=external_database,
            log=terminal.log,
            cancelled=stop_requested,
            with_outside_world=True,
        )
        with stack:
            _announce(stack, terminal)
            Supervisor(stack, terminal.log, stop_requested).run()
    except StopRequested:
        terminal.say("stopped", "bold")
    except (StackError, OSError) as error:
        terminal.say(f"error: {one_line(error, data)}", "bold red")
        sys.exit(1)


@main.command()
@_data_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(data: Path, yes: bool) -> None:
    """Remove all data: todos, Restate's journal, keys."""
    with _errors_in_one_line(data):
        if not data.exists():
            click.echo(f"nothing to remove: there is no {data}")
            return
        data_folder.check_removable(data)
        with data_folder.locked(data):
            if yes or click.confirm(f"Remove {data} with all todos in it?"):
                if not remove(data):
                    raise StackError(f"{data} cannot be removed")
                click.echo("removed")


def _add_order(verb: str, meaning: str) -> None:
    @main.command(verb, help=meaning)
    @click.argument("what", default="")
    @_data_option
    def order(what: str, data: Path) -> None:
        with _errors_in_one_line(data):
            click.echo(orders.give(data, verb, what))


_add_order("kill", "Kill a server of the stack that is up (SIGKILL); it is started again.")
_add_order("stop", "Stop a server of the stack that is up; it stays down until it is started.")
_add_order("pause", "Freeze a server of the stack that is up (SIGSTOP) until it is started.")
_add_order("start", "Start a server that was stopped or frozen, and return when it is healthy.")


@contextlib.contextmanager
def _errors_in_one_line(data: Path) -> Iterator[None]:
    try:
        yield
    except (StackError, OSError) as error:
        raise click.ClickException(one_line(error, data)) from None


def _announce(stack: Stack, terminal: Terminal) -> None:
    lines = [f"{twin.title:<20}{stack.ports.web_url(twin)}/" for twin in stack.twins]
    if RESTATE in stack.twins:
        lines.append(f"{'Restate dashboard':<20}{stack.ports.admin_url}/ui/")
    lines.append(f"{'Outside world':<20}{stack.ports.outside_world_url}/")
    lines.append("In another terminal:")
    for twin in stack.twins:
        lines.append(f"""    curl -s --json '{{"title": "Buy milk"}}' {stack.ports.web_url(twin)}/api/todos""")
    lines.append(f"    make kill, stop, pause or start WHAT={'|'.join(stack.servers)}")
    # As one text, so that no log line comes in between.
    terminal.say("\n".join(["", *lines, "Ctrl-C stops everything.", ""]), "bold")


if __name__ == "__main__":
    main(prog_name="python -m todo_stack")
