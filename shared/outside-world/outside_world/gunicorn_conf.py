"""gunicorn's settings: gunicorn --config python:outside_world.gunicorn_conf 'outside_world.app:create_app()'."""

from outside_world.settings import THREADS, load

_settings = load()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = 1
threads = THREADS
loglevel = _settings.log_level
accesslog = "-" if _settings.log_level in ("debug", "info") else None
# Nobody in front of it says who calls.
forwarded_allow_ips = ""
# All applications of this user would share one file in the home folder.
control_socket_disable = True
# Longer than HTTP libraries keep idle connections, so that they close them first.
keepalive = 75
graceful_timeout = 4
