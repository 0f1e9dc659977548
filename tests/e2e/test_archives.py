"""The wheel and the sdist are the same bytes whoever builds them."""

import io
import tarfile
from pathlib import Path

import pytest

from benchmarks.archives import settle
from benchmarks.house_reproducible import built
from benchmarks.standing import ROOT


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="builds what is committed")
def test_two_copies_of_the_repository_give_the_same_archives(tmp_path: Path) -> None:
    one, two = built(tmp_path)
    assert set(one) == {".whl", ".gz"}
    assert one == two


def packed(file: Path, names: list[str], **header: int | str) -> Path:
    """An sdist as another machine would pack it."""
    with tarfile.open(file, "w:gz") as archive:
        for name in names:
            content = name.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in header.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return file


def test_packed_once_more_an_sdist_holds_the_same_files_and_nothing_of_the_machine(tmp_path: Path) -> None:
    one = packed(tmp_path / "one.tar.gz", ["p/a", "p/b"], mode=0o600, mtime=5, uid=7, uname="someone")
    two = packed(tmp_path / "two.tar.gz", ["p/b", "p/a"], mode=0o664, mtime=9, gid=8, gname="others")
    for file in (one, two):
        settle(file, 1_700_000_000)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == ["p/a", "p/b"]
        assert {(member.mode, member.mtime, member.uid, member.uname) for member in members} == {
            (0o644, 1_700_000_000, 0, "")
        }
        files = [archive.extractfile(member) for member in members]
        assert [file.read() for file in files if file is not None] == [b"p/a", b"p/b"]
