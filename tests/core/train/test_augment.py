"""Changes of pictures against Pillow and numpy; boxes go where the pixels go; the best weights survive a stop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fieldtune.train.augment import Change, apply, draw, moved_boxes
from fieldtune.train.best import FILE, Best
from fieldtune.train.fit import fit
from fieldtune.train.problem import Problem
from fieldtune.train.settings import Settings

PLAIN = np.array([[1.0, 0.0]])


def picture(seed: int = 0, side: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.uniform(size=(6, 6)).astype(np.float32)
    return np.array(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def changed(pixels: np.ndarray, affine: np.ndarray, tone: np.ndarray = PLAIN) -> np.ndarray:
    return apply(torch.from_numpy(pixels)[None, None], affine[None], tone)[0, 0].numpy()


def test_nothing_changes_by_default() -> None:
    affine, tone = draw(Change(), 0, 3, (24, 24))
    assert affine == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=1e-12)
    assert tone == (1.0, 0.0)
    assert changed(picture(), affine) == pytest.approx(picture(), abs=1e-5)


def test_a_mirror_is_numpys() -> None:
    sides = {bool(draw(Change(mirror=True), 0, example, (24, 24))[0][0, 0] < 0) for example in range(20)}
    assert sides == {True, False}
    affine = np.array([[-1.0, 0, 24], [0, 1, 0]])
    assert changed(picture(), affine) == pytest.approx(picture()[:, ::-1], abs=1e-5)


def test_a_turn_is_pillows() -> None:
    affine, _ = draw(Change(turn=30.0), 0, 1, (24, 24))
    degrees = np.rad2deg(np.arctan2(affine[1, 0], affine[0, 0]))
    assert 1 < abs(degrees) < 30
    turned = Image.fromarray(picture()).rotate(-degrees, Image.Resampling.BILINEAR)
    inner = np.s_[6:-6, 6:-6]
    assert changed(picture(), affine)[inner] == pytest.approx(np.asarray(turned)[inner], abs=1e-2)


def test_a_shift_repeats_the_edge() -> None:
    moved = changed(picture(), np.array([[1.0, 0, 5], [0, 1, 0]]))
    assert moved[:, 5:] == pytest.approx(picture()[:, :-5], abs=1e-5)
    assert moved[:, :5] == pytest.approx(np.repeat(picture()[:, :1], 5, axis=1), abs=1e-5)


def test_contrast_and_brightness() -> None:
    affine, tone = draw(Change(colour=0.2), 0, 0, (24, 24))
    assert changed(picture(), affine, np.array([tone])) == pytest.approx(picture() * tone[0] + tone[1], abs=1e-5)
    assert abs(tone[0] - 1) <= 0.2 >= abs(tone[1])


@pytest.mark.parametrize("example", range(6))
def test_a_box_goes_where_its_pixels_go(example: int) -> None:
    pixels = np.zeros((40, 60), np.float32)
    pixels[12:26, 20:33] = 1
    change = Change(shift=0.1, scale=(0.8, 1.25), mirror=True)
    affine, _ = draw(change, 5, example, (40, 60))
    seen = changed(pixels, affine)
    rows, columns = np.flatnonzero(seen.max(axis=1) > 0.5), np.flatnonzero(seen.max(axis=0) > 0.5)
    found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert moved_boxes(np.array([[20.0, 12, 33, 26]]), affine)[0] == pytest.approx(found, abs=1.01)


def test_what_is_drawn_depends_on_seed_and_example_alone() -> None:
    change = Change(0.1, 10.0, (0.9, 1.1), True, 0.1)
    first = [draw(change, 1, example, (9, 9)) for example in (0, 1, 2)]
    again = [draw(change, 1, example, (9, 9)) for example in (2, 1, 0)][::-1]
    assert all((a[0] == b[0]).all() and a[1] == b[1] for a, b in zip(first, again, strict=True))
    assert (draw(change, 2, 0, (9, 9))[0] != first[0][0]).any()
    assert (first[0][0] != first[1][0]).any()


class Overfitting:
    """A scalar that grows with every step, and validation rows on which 3 is best."""

    def __init__(self) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.module.weight)
        self.seen: dict[int, bytes] = {}

    def score(self, module: nn.Module) -> float:
        assert not module.training
        self.seen[len(self.seen)] = module.weight.detach().numpy().tobytes()
        return -abs(float(module.weight) - 3.0)

    def run(self, folder: Path, best: Best | None, steps: int = 6, save: int = 0) -> bytes:
        problem = Problem(
            lambda rows: {"x": torch.ones(len(rows), 1)},
            lambda module, batch: -module(batch["x"]).sum(),
            lambda batch: float(len(batch["x"])),
        )
        fit(
            self.module, problem, [[0]] * steps, Settings(warmup=0.0, checkpoint_steps=save), folder=folder,
            optimizer=torch.optim.SGD(self.module.parameters(), lr=1.5), seed=0, dtype=torch.float32, description="",
            show=False, best=best,
        )  # fmt: skip
        return self.module.weight.detach().numpy().tobytes()


def test_the_weights_returned_are_those_of_the_best_look(tmp_path: Path) -> None:
    world = Overfitting()
    best = Best(world.score, range(1, 7))
    final = world.run(tmp_path / "run", best)
    values = [np.frombuffer(raw, np.float32)[0] for raw in world.seen.values()]
    assert values[-1] > 3.7  # the last weights are others
    assert final == world.seen[best.step - 1]
    assert best.highest == -min(abs(value - 3.0) for value in values)


def test_a_resumed_run_remembers_the_best_and_keeps_two_checkpoints(tmp_path: Path) -> None:
    world = Overfitting()
    most = 0

    def counted(module: nn.Module) -> float:
        nonlocal most
        most = max(most, len(list((tmp_path / "run").glob("checkpoint-*"))))
        return world.score(module)

    final = world.run(tmp_path / "run", Best(counted, range(1, 7)), save=1)
    assert most == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"checkpoint-4", "checkpoint-5"}
    assert (tmp_path / "run/checkpoint-5" / FILE).is_file()
    again = Overfitting()
    best = Best(again.score, range(1, 7))
    assert again.run(tmp_path / "run", best, save=1) == final
    assert len(again.seen) == 1  # only the last step was left
    assert best.step < 6


def test_a_score_that_is_no_number_is_never_best(tmp_path: Path) -> None:
    world = Overfitting()
    last = world.run(tmp_path / "one", None)
    other = Overfitting()
    assert other.run(tmp_path / "two", Best(lambda module: float("nan"), range(7))) == last
