"""Tables and data sets that are far larger than they look: refused before they cost memory."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from fieldtune.data import catalog, labelled_images, raw
from fieldtune.data.raw import read_bytes
from fieldtune.data.read import read_table
from fieldtune.errors import InputError, RefusedError

ASK = """
import resource, sys
from pathlib import Path
from fieldtune.data.read import read_table
from fieldtune.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_table(Path(sys.argv[1]))
except InputError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_gz_bomb_is_refused_and_costs_no_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as handle:
        handle.write(b"text,label\n")
        for _ in range(100):
            handle.write(b"a,b\n" * 500_000)  # 200 MB of some 200 kB
    ran = subprocess.run([sys.executable, "-c", ASK, bomb], capture_output=True, text=True, check=True)
    said, grown = ran.stdout.splitlines()
    assert "unpacks to at most" in said and "bomb.csv.gz" in said
    assert int(grown) < 64 * 1024  # KiB


def test_what_unpacks_to_more_than_any_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = os.urandom(300_000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(noise))
    assert read_bytes(tmp_path / "t.csv.gz") == noise
    monkeypatch.setattr(raw, "UNPACKED", len(noise) - 1)
    with pytest.raises(InputError, match="299,999"):
        read_bytes(tmp_path / "t.csv.gz")


def test_a_table_of_one_repeated_row_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"text,label\n" + b"the same row,x\n" * 20_000))
    assert len(read_table(tmp_path / "t.csv.gz")) == 20_000


def test_arrays_out_of_proportion_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros(300, np.int64)
    np.savez_compressed(tmp_path / "t.npz", images=np.zeros((300, 64, 64), np.uint8), labels=labels)
    assert len(labelled_images.image_table(tmp_path / "t.npz")) == 300
    monkeypatch.setattr(labelled_images, "_SMALL", 2**20)
    with pytest.raises(InputError, match=r"arrays of at most 1,048,576 bytes.*t\.npz.*as files"):
        labelled_images.image_table(tmp_path / "t.npz")


def test_a_download_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(catalog, "LARGEST", 2**20)
    with HTTPServer(("127.0.0.1", 0), Endless) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(RefusedError, match="1,048,576"):
                catalog._download(
                    f"http://127.0.0.1:{server.server_port}/", hashlib.sha256().hexdigest(), tmp_path / "f"
                )
        finally:
            server.shutdown()
            thread.join(10)
    assert not (tmp_path / "f").exists()
