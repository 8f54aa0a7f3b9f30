"""Secrets in files: what containers have instead of environment variables."""

from pathlib import Path

import pytest

from todo_shared.models.database import engine_options
from todo_shared.settings import Settings


def test_secrets_are_read_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a setting's name is that setting; the password in it is used to connect, and is not shown."""
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.delenv("DATABASE_PASSWORD", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@db:5432/todos")
    monkeypatch.setenv("PORT", "1")
    (tmp_path / "secret_key").write_text("a secret in a file\n")
    (tmp_path / "database_password").write_text("p@ss/word\n")
    settings = Settings(_secrets_dir=tmp_path)
    assert settings.secret_key.get_secret_value() == "a secret in a file"
    assert engine_options(settings)["connect_args"]["password"] == "p@ss/word"
    assert "word" not in repr(settings.database_password)


def test_environment_wins_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the environment is not replaced by a file."""
    monkeypatch.setenv("SECRET_KEY", "a secret in the environment")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@db:5432/todos")
    monkeypatch.setenv("PORT", "1")
    (tmp_path / "secret_key").write_text("a secret in a file")
    settings = Settings(_secrets_dir=tmp_path)
    assert settings.secret_key.get_secret_value() == "a secret in the environment"
