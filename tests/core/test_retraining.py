"""Which folder feedback rows are about, a place of its own for each retraining, and the command that names one."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from fieldtune import feedback, registry
from fieldtune.errors import InputError, RefusedError
from fieldtune.feedback import Feedback
from fieldtune.models.folder import staged
from fieldtune.retraining import about, workplace
from tests.conftest import Ran

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def shops(tmp_path: Path, home: Path) -> tuple[Path, Path]:
    """Two folders of one application in service, the second promoted last."""
    folders = tmp_path / "north", tmp_path / "south"
    for number, folder in enumerate(folders):
        with staged(folder) as place:
            (place / "name.txt").write_text(folder.name)
        when = NOW + timedelta(minutes=number)
        registry.publish("chatbot", folder, {"x": folder}, {"x": np.ones(5)}, rng=np.random.default_rng(0), now=when)
    return folders[0].resolve(), folders[1].resolve()


def said(*folders: Path | str) -> list[Feedback]:
    """A row about each, the oldest first."""
    return [
        Feedback("chatbot", f"answer {number}", "thumb_up", payload={"store": str(folder)})
        for number, folder in enumerate(folders)
    ]


def test_rows_about_one_folder_and_about_none_belong_together(shops: tuple[Path, Path]) -> None:
    north, south = shops
    rows = [*said(north, "", south), Feedback("chatbot", "plain", "thumb_down")]
    for slot, origin, left_out in ((str(north), north, rows[2]), ("south", south, rows[0])):
        found, own = about("chatbot", rows, "store", slot)
        assert found == origin
        assert own == [row for row in rows if row is not left_out]


def test_without_a_slot_the_newest_row_decides_and_one_note_names_the_others(
    shops: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    north, south = shops
    origin, own = about("chatbot", said(south, "elsewhere", north), "store")
    assert (origin, len(own)) == (north, 1)
    note = capsys.readouterr().err
    assert len(note.splitlines()) == 1
    assert f"fieldtune feedback retrain chatbot/{registry.slot_of(south)}" in note
    assert about("chatbot", said(north, "elsewhere"), "store")[0] == north
    assert about("chatbot", said("elsewhere", ""), "store")[0] == south
    assert not capsys.readouterr().err


def test_a_folder_that_is_gone_never_wins(shops: tuple[Path, Path]) -> None:
    north, south = shops
    shutil.rmtree(south)
    assert about("chatbot", said(north, south), "store")[0] == north
    assert about("chatbot", said(""), "store")[0] == north
    with pytest.raises(InputError, match=f"{registry.slot_of(north)}; found 'south'"):
        about("chatbot", said(south), "store", "south")
    shutil.rmtree(north)
    with pytest.raises(InputError, match="none yet"):
        about("chatbot", said(north), "store")


def test_folders_of_one_name_are_told_apart_by_their_slots(tmp_path: Path, shops: tuple[Path, Path]) -> None:
    other = tmp_path / "elsewhere" / "north"
    shutil.copytree(shops[0], other)
    registry.publish("chatbot", other, {"x": other}, {"x": np.ones(5)}, rng=np.random.default_rng(0), now=NOW)
    for origin in (shops[0], other.resolve()):
        assert about("chatbot", said(""), "store", registry.slot_of(origin))[0] == origin


def test_one_retraining_of_a_folder_at_a_time_and_what_failed_is_kept(shops: tuple[Path, Path], home: Path) -> None:
    north, south = shops
    with workplace(home, "chatbot", north) as first:
        (first / "half").write_text("done")
        with pytest.raises(RefusedError, match="free"), workplace(home, "chatbot", north):
            pass
        with workplace(home, "chatbot", south) as other:
            assert other != first
        assert (first / "half").is_file()
    assert not first.exists() and not other.exists()
    with pytest.raises(KeyboardInterrupt), workplace(home, "chatbot", north) as again:
        (again / "half").write_text("done")
        raise KeyboardInterrupt
    with workplace(home, "chatbot", north) as resumed:
        assert (resumed / "half").is_file()


@pytest.mark.parametrize("app", ["chatbot", "monitor", "recommender"])
@pytest.mark.parametrize("slot", ["south", "/shops/south"])
def test_the_command_names_a_slot_as_rollback_does(home: Path, cli: Callable[..., Ran], app: str, slot: str) -> None:
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback(app, "something", "thumb_up"), NOW)
    ran = cli("feedback", "retrain", f"{app}/{slot}")
    assert ran.code == 1 and not ran.out
    assert f"a folder of the {app} that is in service: none yet; found {slot!r}" in ran.err
