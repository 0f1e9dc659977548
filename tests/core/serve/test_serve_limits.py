"""Limits, keys, buckets and hosts by themselves, and what the command refuses before it listens."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.errors import ConfigError, InputError, RefusedError
from fieldtune.serve.hosts import bindable, known_hosts, loopback, name_of
from fieldtune.serve.keys import Buckets, Keys, read_keys, whole
from fieldtune.serve.limits import Limits
from fieldtune.serve.log import Lines
from fieldtune.serve.recent import Recent
from fieldtune.text import normalise

KEY = "0123456789abcdef"


@given(st.text(st.characters(exclude_categories=[]), max_size=50))
def test_a_readable_text_is_unicode_of_the_same_length(text: str) -> None:
    found = normalise.whole(text)
    assert len(found) == len(text)
    assert all(
        new == old or ("\ud800" <= old <= "\udfff" and new == "\ufffd") for old, new in zip(text, found, strict=True)
    )
    found.encode("utf-8")


def test_limits_come_from_texts_and_are_checked() -> None:
    assert Limits().updated({"permits": "200", "rate": "1.5"}) == Limits(permits=200, rate=1.5)
    for wrong in (
        {"permit": "1"},
        {"permits": "many"},
        {"chars": 0},
        {"rate": -1},
        {"deadline_s": "nan"},
        {"rows": 9999},
    ):
        with pytest.raises(ConfigError):
            Limits().updated(wrong)


def test_keys_are_read_from_a_file_or_the_environment_and_kept_as_digests(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n  {KEY}-one \r\n{KEY}-two\n")
    keys = read_keys(file, {})
    assert [keys.owner(f"{KEY}-{name}") for name in ("one", "two", "three")] == [0, 1, None]
    assert len(read_keys(None, {"FIELDTUNE_KEYS": f"{KEY}, {KEY}x,"})) == 2
    assert len(read_keys(None, {})) == 0
    for empty in ("", " , "):
        with pytest.raises(ConfigError, match="FIELDTUNE_KEYS"):
            read_keys(None, {"FIELDTUNE_KEYS": empty})
    assert not [name for name in (repr(keys), str(vars(keys))) if KEY in name]
    assert keys.owner("\udcff" * 20) is None


@pytest.mark.parametrize(("content", "kind"), [(b"", ConfigError), (b"short", ConfigError), (b"\xff", InputError)])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, content: bytes, kind: type[Exception]) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(kind):
        read_keys(file, {"FIELDTUNE_KEYS": KEY})
    with pytest.raises(InputError):
        read_keys(tmp_path / "none", {})


def test_every_key_is_compared_whole_whichever_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def noted(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    keys = Keys([KEY, KEY + "longer", KEY * 9])
    for key in (KEY, KEY * 9, "x", ""):
        compared.clear()
        keys.owner(key)
        assert compared == [(32, 32)] * 3


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_a_bucket_never_lets_more_through_than_burst_and_rate_allow(gaps: list[float]) -> None:
    rate, burst, now = 2.0, 3, 100.0
    buckets, allowed = Buckets(rate, burst), []
    for gap in gaps:
        now += gap
        wait = buckets.wait(1, now)
        if wait == 0:
            allowed.append(now)
        else:
            assert Buckets(rate, burst).wait(2, now) == 0  # another key is not held up
            assert 0 < wait <= 1 / rate
    for first in range(len(allowed)):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= burst + rate * (allowed[last] - allowed[first]) + 1e-6


def test_after_the_wait_it_told_a_bucket_allows() -> None:
    buckets = Buckets(0.5, 1)
    assert buckets.wait(None, 10.0) == 0
    wait = buckets.wait(None, 10.5)
    assert wait == pytest.approx(1.5)
    assert buckets.wait(None, 10.5 + wait) == 0
    assert [whole(seconds) for seconds in (0.01, 1.0, 1.2)] == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Example:80", "example"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("a.example.", "a.example"),
        ("[::1", ""),
        ("[::1]x", ""),
        ("a:b", ""),
        ("a:", ""),
        ("::1", ""),
        ("a:1@b", ""),
        ("a:²", ""),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert name_of(header) == name
    assert "" not in known_hosts("127.0.0.1", [])


def test_what_is_loopback_and_which_names_are_known() -> None:
    assert all(loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example", "", "2130706433"))
    assert known_hosts("127.0.0.1", ["A.Example"]) == {"localhost", "127.0.0.1", "::1", "a.example"}
    assert known_hosts("10.0.0.1", []) == {"10.0.0.1"}
    assert known_hosts("0.0.0.0", ["a"]) == {"localhost", "127.0.0.1", "::1", "a"}
    bindable("127.0.0.1", 0)
    bindable("0.0.0.0", 1)
    for host in ("0.0.0.0", "::", "10.0.0.1", "my-name"):
        with pytest.raises(RefusedError):
            bindable(host, 0)


def test_recent_answers_are_bounded_and_hold_no_text() -> None:
    recent: Recent[int] = Recent(2)
    for number, text in enumerate(("a", "b", "c")):
        recent.put(("v", text), number)
        recent.get(("v", "b"))
    assert [recent.get(("v", text)) for text in "abc"] == [None, 1, 2]
    assert recent.get(("va", "")) is recent.get(("", "va")) is None
    assert len(recent) == 2
    secret: Recent[int] = Recent(1)
    secret.put(("a secret text",), 1)
    assert "secret" not in str(vars(secret))


def test_a_log_line_tells_where_an_exception_came_from_and_not_its_message() -> None:
    try:
        int("a secret")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (ValueError, error, error.__traceback__))
    line = Lines().format(record)
    assert "ValueError in test_serve_limits.py" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--host", "0.0.0.0"], "expected a key"),
        (["--set", "permit=1"], "did you mean 'permits'"),
        (["--keys", "nowhere"], "expected a file of keys"),
        ([], "expected a model folder"),
    ],
)
def test_the_command_refuses_before_it_listens(
    cli: Callable[..., Any], tmp_path: Path, arguments: list[str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIELDTUNE_KEYS", raising=False)
    ran = cli("serve", "--model", tmp_path / "none", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert found in ran.err
    assert ran.err.count("\n") == 1


def test_without_its_extra_the_command_says_how_to_install_it(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldtune.commands import serve

    monkeypatch.setattr(serve, "_NEEDED", ("starlette", "no_such_package"))
    ran = cli("serve", "--model", tmp_path)
    assert (ran.code, "pip install 'fieldtune[serve]'" in ran.err) == (1, True)


def test_keys_are_no_option_of_the_command(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "--key " not in cli("serve", "--help").out
