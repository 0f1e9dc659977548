"""scrub on lines of an independent generator; and what the wider patterns take and leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.core_scrub import measured
from benchmarks.scrub_lines import NAMES, lines
from fieldtune.data.scrub import contacts, hides, scrub
from fieldtune.runtime import generator


def test_every_kind_is_found_among_its_look_alikes() -> None:
    found = measured(lines(2500, generator(20)))
    assert found["lines"] >= 2000
    assert len(found["per_kind"]) == 9
    assert found["least_recall"] >= 0.98, found["per_kind"]
    assert found["least_precision"] >= 0.95, found["per_kind"]


def test_what_was_hidden_once_stays_as_it_is() -> None:
    for line in lines(300, generator(21)):
        once = scrub(line.text, names=NAMES).text
        assert scrub(once, names=NAMES) == (once, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(202) 555-0147 or 202-555-0147", "[phone] or [phone]"),
        ("07700 900123, 020 7946 0018", "[phone], [phone]"),
        ("北京010-6552-9988转3，深圳（0755）26012345", "北京[phone]转3，深圳[phone]"),
        ("SSN 078-05-1120.", "SSN [ssn]."),
        ("from 2001:db8::8a2e:370:7334 and fe80::1ff:fe23:4567:890a%eth0", "from [ip] and [ip]%eth0"),
        ("https://x.example/a?token=ab12cd34ef&page=2", "https://x.example/a?token=[secret]&page=2"),
        ("Authorization: Bearer abc.def-123456.", "Authorization: Bearer [secret]."),
        ("postgresql://ann:hunter2@db.example:5432/x", "postgresql://ann:[secret]@db.example:5432/x"),
        ("密码：Xk39dd1x，谢谢", "密码：[secret]，谢谢"),
        ("mail ｊｏ＠post.example", "mail [email]"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert scrub(text).text == expected
    assert hides(expected)


@pytest.mark.parametrize(
    "text",
    [
        "order no. 202-555-0147, invoice 078-05-1120",
        "version 10.0.1.24, v1.2.3.4, 固件 3.4.5.6",
        "std::vector, a::b, x[::2], 12:30:45, 00:1A:2B:3C:4D:5E",
        "a token of thanks; the password: something else; ?page=3&key=up",
        "ISBN 978-0-306-40615-7, 0-306-40615-2, sizes 14 16 18 20 22 24",
        "$202,555.01 on 2024-05-01 12:30:45, EUR 1.234.567,89",
    ],
)
def test_what_only_looks_personal_stays(text: str) -> None:
    assert scrub(text) == (text, ())


def test_names_are_hidden_as_words_of_their_own() -> None:
    names = ("Maria  Lopez", "Mark", "张伟", "name", "", "[email]")
    said = "maria lopez told MARK, not mark: remarkable. 张伟说好。my name"
    assert scrub(said, names=names) == ("[name] told [name], not mark: remarkable. [name]说好。my name", ("name",))


def test_a_companys_own_national_number_may_stay() -> None:
    own = contacts(["Call (202) 555-0147"])
    assert scrub("202-555-0147 or 202-555-0148", own).text == "202-555-0147 or [phone]"


PIECES = [
    "://",
    "a:",
    "@",
    "b.co",
    "[secret]",
    "[email]",
    "token=",
    "x1y2z3",
    "Bearer ",
    "2001:db8::1",
    "020 7946 ",
    "0018",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_hiding_comes_to_an_end(text: str) -> None:
    once = scrub(text)
    assert scrub(once.text) == (once.text, ())
