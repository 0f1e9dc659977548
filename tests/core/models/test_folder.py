"""Model folders: staged, hashed, replaced whole, and nothing that could run code."""

import contextlib
import errno
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.models import folder as folders
from fieldtune.models.folder import MANIFEST, locked, recover, staged, verify


def make(path: Path, text: str = "one") -> Path:
    with staged(path, {"by": "a test"}) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text(text)
        (folder / "b.json").write_text("{}")
    return path


def test_manifest_lists_every_file_with_the_digest_that_sha256sum_prints(tmp_path: Path) -> None:
    path = make(tmp_path / "model")
    manifest = verify(path)
    assert set(manifest["files"]) == {"inner/a.txt", "b.json"}
    printed = subprocess.run(["sha256sum", path / "inner" / "a.txt"], capture_output=True, text=True, check=True).stdout
    assert manifest["files"]["inner/a.txt"]["sha256"] == printed.split()[0]


@pytest.mark.parametrize("damage", ["delete", "cut", "flip", "add", "link", "linked folder", "pipe", "pickle"])
def test_every_damage_is_refused_and_the_file_named(tmp_path: Path, damage: str) -> None:
    path = make(tmp_path / "model")
    victim = path / "inner" / "a.txt"
    match damage:
        case "delete":
            victim.unlink()
        case "cut":
            victim.write_text("o")
        case "flip":
            victim.write_text("onf")
        case "add":
            victim = path / "extra.txt"
            victim.write_text("x")
        case "link":
            victim.unlink()
            victim.symlink_to("/etc/hostname")
        case "linked folder":
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "elsewhere" / "body.pkl").write_bytes(pickle.dumps({}))
            victim = path / "encoder"
            victim.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            victim.unlink()
            os.mkfifo(victim)
        case "pickle":
            victim = path / "weights.pkl"
            victim.write_bytes(pickle.dumps({}))
    with pytest.raises(ArtefactError, match=victim.name):
        verify(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}', '{"files": {"b.json": 3}}', "[" * 10**6, "\x00"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = make(tmp_path / "model")
    (path / MANIFEST).write_text(text)
    with pytest.raises(ArtefactError):
        verify(path)


def test_a_bit_flipped_in_the_manifest_blames_no_other_file(tmp_path: Path) -> None:
    path = make(tmp_path / "model")
    text = (path / MANIFEST).read_text()
    listed = verify(path)["files"]["b.json"]["sha256"]
    (path / MANIFEST).write_text(text.replace(listed, ("0" if listed[0] != "0" else "1") + listed[1:]))
    with pytest.raises(ArtefactError, match=rf"readable {MANIFEST}"):
        verify(path)


def test_a_wrong_path_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing at"):
        verify(tmp_path / "nowhere")


def test_every_folder_of_a_model_is_on_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: Any) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(folders, "sync", flushed.append)
    new = tmp_path / "new"
    (new / "1_Pooling" / "deep").mkdir(parents=True)
    (new / "1_Pooling" / "deep" / "config.json").write_text("{}")
    (new / "1_Pooling" / "MANIFEST.hmac").write_text("of a model inside")
    folders.write_manifest(new, {})
    inside = {path.relative_to(new).as_posix() for path in flushed if new in path.parents or path == new}
    assert inside == {
        ".",
        "1_Pooling",
        "1_Pooling/deep",
        "1_Pooling/deep/config.json",
        "1_Pooling/MANIFEST.hmac",
        "MANIFEST.json",
    }


def test_a_model_takes_its_place_between_its_own_flush_and_that_of_the_folder_around(
    tmp_path: Path, monkeypatch: Any
) -> None:
    path = make(tmp_path / "model", "old")
    seen: list[tuple[str, str, bool]] = []

    def flushed(place: Path) -> None:
        seen.append((place.name, (path / "inner" / "a.txt").read_text(), (tmp_path / ".model.previous").exists()))

    monkeypatch.setattr(folders, "sync", flushed)
    make(path, "new")
    *inside, around = seen
    assert ("inner", "old", False) in inside and {(text, previous) for _, text, previous in inside} == {("old", False)}
    assert around == (tmp_path.name, "new", True)  # what was there goes after it


def test_a_text_is_on_disk_before_it_takes_the_place_of_another(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "mark").write_text("old")
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(folders, "sync", lambda path: seen.append((path.name, (tmp_path / "mark").read_text())))
    folders.write_whole(tmp_path / "mark", "new")
    assert seen == [("mark.partial", "old"), (tmp_path.name, "new")]


def test_a_failure_inside_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    path = make(tmp_path / "model")
    with pytest.raises(RuntimeError), staged(path) as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    verify(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_disk_that_fills_while_a_folder_is_copied_is_told_as_such(tmp_path: Path) -> None:
    said = str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/x"))
    with pytest.raises(InputError, match="none left while model was written"), staged(tmp_path / "model"):
        raise shutil.Error([("a/x", "b/x", said), ("a/y", "b/y", said)])


def test_a_replacement_cut_in_two_is_finished(tmp_path: Path) -> None:
    path = make(tmp_path / "model", "old")
    path.rename(tmp_path / ".model.previous")  # the instant between the two renames
    recover(path)
    assert json.loads((path / MANIFEST).read_text())["by"] == "a test"
    assert (path / "inner" / "a.txt").read_text() == "old"


def test_a_reader_finishes_it_too_but_touches_nothing_of_a_writer_at_work(tmp_path: Path) -> None:
    path = make(tmp_path / "model", "old")
    leftover = tmp_path / ".model.staged-999999999"  # of a process that this one cannot see: another container's
    leftover.mkdir()
    verify(path)
    assert leftover.exists()
    path.rename(tmp_path / ".model.previous")
    with locked(path), pytest.raises(InputError, match="nothing at"):
        verify(path)
    verify(path)
    assert (path / "inner" / "a.txt").read_text() == "old"


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from fieldtune.models.folder import staged\n"
        "with staged(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'x').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "model"], env=os.environ)
    assert [entry.name.split("-")[0] for entry in tmp_path.iterdir()] == [".model.staged"]
    make(tmp_path / "model")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "model"),
        pytest.raises(RefusedError, match="another fieldtune process"),
        locked(tmp_path / "model"),
    ):
        pass
    with locked(tmp_path / "model"):
        pass


def test_a_lock_leaves_no_file_and_never_lets_two_in(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def writer(number: int) -> None:
        for _ in range(100):
            with contextlib.suppress(RefusedError), locked(tmp_path / "model"):
                inside.append(number)
                time.sleep(0)  # another thread may run now
                most.append(len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(writer, range(8)))
    assert set(most) == {1}
    assert list(tmp_path.iterdir()) == []


def test_the_one_who_holds_a_lock_is_named_and_a_killed_one_holds_none(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fieldtune.models.folder import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, tmp_path / "model"]
    holder = subprocess.Popen(command, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RefusedError, match=f"pid {holder.pid} on {socket.gethostname()}"),
            locked(tmp_path / "model"),
        ):
            pass
        holder.kill()
    with locked(tmp_path / "model"):
        pass


def test_a_file_that_a_person_put_into_a_model_is_not_deleted_with_it(tmp_path: Path) -> None:
    path = make(tmp_path / "model", "old")
    (path / "inner" / "my-notes.txt").write_text("do not lose")
    with pytest.raises(ArtefactError, match=r"inner/my-notes\.txt"):
        make(path, "new")
    assert (path / "inner" / "my-notes.txt").read_text() == "do not lose"
    (path / "inner" / "my-notes.txt").unlink()
    make(path, "new")
    assert (path / "inner" / "a.txt").read_text() == "new"


def test_an_application_does_not_replace_what_another_trained(tmp_path: Path) -> None:
    path = make(tmp_path / "model")
    for owner, other in (("", "monitor"), ("monitor", "recommender"), ("recommender", "")):
        with staged(tmp_path / f"of-{owner}", {"application": owner} if owner else {}) as folder:
            (folder / "a.txt").write_text("a")
        with (
            pytest.raises(ArtefactError, match="would be deleted"),
            staged(tmp_path / f"of-{owner}", {"application": other}),
        ):
            pass
        verify(tmp_path / f"of-{owner}")
    verify(path)


def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path: Path) -> None:
    for name, file in {"notes": "thesis.txt", "run": "checkpoints/mine.pt", "hidden": ".git/HEAD"}.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.write_text("years of work")
        with pytest.raises(ArtefactError, match="would be deleted"):
            make(tmp_path / name)
        assert path.read_text() == "years of work"
        assert not list(tmp_path.glob(f".{name}.*"))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "deep" / "model"):
        with pytest.raises(InputError, match="the file"):
            make(path)


@pytest.mark.parametrize("place", [".", "", "..", "sub/..", "sub/../.."])
def test_a_place_that_is_not_named_is_refused_and_left_as_it_is(tmp_path: Path, monkeypatch: Any, place: str) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="a folder by its name"):
        make(Path(place))
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "here", tmp_path / "here" / "sub"]


def test_an_empty_folder_a_model_and_an_unfinished_run_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "run.json").write_text("{}")
    for path in (tmp_path / "empty", tmp_path / "run", make(tmp_path / "old", "old")):
        assert (make(path, "new") / "inner" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("name", ["a.dill", "b.npz", "run.py", "lib.so", "c.PKL", "d.zip", "inner/e.npy", "plain.txt"])
def test_what_a_load_refuses_verify_refuses_too_though_a_manifest_lists_it(tmp_path: Path, name: str) -> None:
    with staged(tmp_path / "model") as folder:
        (folder / "inner").mkdir()
        (folder / "fieldtune.json").write_text("{}")
        (folder / name).write_bytes(pickle.dumps({}) if name == "plain.txt" else b"nothing")
    with pytest.raises(ArtefactError, match=re.escape(Path(name).name)):
        verify(tmp_path / "model")


def test_an_index_may_keep_its_numbers_as_arrays(tmp_path: Path) -> None:
    with staged(tmp_path / "index") as folder:
        np.save(folder / "vectors.npy", np.zeros(3), allow_pickle=False)
    assert verify(tmp_path / "index")
