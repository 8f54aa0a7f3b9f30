"""Each twin has third parties to call; tests/outside_world has what they do."""

from tests.support.running_twin import RunningTwin, new_key


def test_outside_world(twin: RunningTwin) -> None:
    """A twin's outside world is there, and keeps what it was asked beyond a restart."""
    reference = f"{twin.which}/{new_key()}"
    mail = {"to": "ann@example.org", "subject": "Hello", "text": "Hello", "reference": reference}
    assert twin.world.ask("POST", "/mail", mail).status_code == 202
    twin.stack.servers["outside_world"].kill()
    twin.stack.servers["outside_world"].start()
    assert [effect["what"] for effect in twin.world.effects(reference=str(reference))] == ["sent"]
