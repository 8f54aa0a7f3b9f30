"""The command line: `python -m flask_restate register`, `deploy` and `identity`. Most options are settings too."""

import logging
from pathlib import Path

import click

from flask_restate import deployment
from flask_restate.addresses import check_addresses
from flask_restate.identity import public_key


def _addresses(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    try:
        return check_addresses(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_admin = click.option(
    "--admin-url",
    envvar="RESTATE_ADMIN_URL",
    default="http://127.0.0.1:9070",
    show_default=True,
    show_envvar=True,
    callback=_addresses,
    help="The admin API, or several addresses of it, separated by commas.",
)
_service = click.option(
    "--service-url", envvar="RESTATE_SERVICE_URL", default="http://127.0.0.1:9080", show_default=True
)
_timeout = click.option(
    "--timeout", envvar="RESTATE_REGISTER_TIMEOUT_SECONDS", default=60.0, help="Seconds to wait for both servers."
)


@click.group()
def main() -> None:
    """Tell a Restate server about a service endpoint."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")


@main.command()
@_admin
@_service
@_timeout
@click.option("--force", envvar="RESTATE_REGISTER_FORCE", type=bool, default=False, help="Replace the old code.")
def register(admin_url: str, service_url: str, timeout: float, force: bool) -> None:
    """Register the service endpoint. Repeating this changes nothing."""
    new = deployment.register(admin_url, service_url, force=force, timeout=timeout)
    names = ", ".join(service["name"] for service in new["services"])
    click.echo(f"{names} at {service_url} is deployment {new['id']}")


@main.command()
@_admin
@_service
@_timeout
@click.option(
    "--drain-timeout", envvar="RESTATE_DRAIN_TIMEOUT_SECONDS", default=600.0, help="Seconds to wait for old calls."
)
def deploy(admin_url: str, service_url: str, timeout: float, drain_timeout: float) -> None:
    """Send new calls to this endpoint, and remove older ones when they have finished their calls."""
    deployment.deploy(admin_url, service_url, timeout=timeout, drain_timeout=drain_timeout)
    click.echo(f"{service_url} is in use")


@main.command()
@click.argument("pem_file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("public_key_file", type=click.Path(path_type=Path, dir_okay=False))
def identity(pem_file: Path, public_key_file: Path) -> None:
    """Create the Restate server's key pair if there is none yet. Only the server may read PEM_FILE."""
    try:
        public_key_file.write_text(public_key(pem_file))
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main(prog_name="python -m flask_restate")
