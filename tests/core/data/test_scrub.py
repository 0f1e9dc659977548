"""scrub: published numbers, properties on generated ones, and texts that only look personal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.data.scrub import scrub


def luhn_digit(body: str) -> str:
    """Straight from ISO/IEC 7812: double every second digit from the right, subtract 9 above 9."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


@st.composite
def cards(draw: st.DrawFn) -> str:
    body = draw(st.sampled_from("456")) + draw(st.text("0123456789", min_size=14, max_size=14))
    number = body + luhn_digit(body)
    gap = draw(st.sampled_from(["", " ", "-"]))
    return gap.join(number[i : i + 4] for i in range(0, 16, 4))


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country, length = draw(st.sampled_from([("DE", 22), ("GB", 22), ("FR", 27), ("NO", 15)]))
    letters = "0123456789" if country == "DE" else "0123456789ABCXYZ"
    body = draw(st.text(letters, min_size=length - 4, max_size=length - 4))
    digits = "".join(str(int(c, 36)) for c in body + country + "00")
    number = f"{country}{98 - int(digits) % 97:02d}{body}"
    grouped = " ".join(number[i : i + 4] for i in range(0, length, 4))
    return grouped if draw(st.booleans()) else number


@st.composite
def residents(draw: st.DrawFn) -> str:
    born = draw(st.dates()).strftime("%m%d")
    born = "0228" if born == "0229" else born
    order = f"{draw(st.integers(0, 999)):03d}"
    body = f"{draw(st.integers(110000, 659999))}{draw(st.integers(1930, 2019))}{born}{order}"
    check = next(c for c in range(11) if (sum(int(d) * 2 ** (17 - i) for i, d in enumerate(body)) + c) % 11 == 1)
    return body + ("X" if check == 10 else str(check))


digits = st.text("0123456789", min_size=9, max_size=9)
octet = st.integers(0, 255).map(str)
PERSONAL = {
    "card": cards(),
    "iban": ibans(),
    "id": residents(),
    "phone": st.one_of(
        st.tuples(st.sampled_from(["13", "15", "18", "19"]), digits).map("".join),
        st.tuples(st.sampled_from(["+1", "+44 ", "+86 ", "+49-"]), digits).map("".join),
    ),
    "email": st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,12}@[a-z0-9]{1,10}\.(com|cn|co\.uk)\Z", fullmatch=True),
    "ip": st.tuples(octet, octet, octet, octet).map(".".join),
}
FILLER = st.sampled_from(["请联系", "。", " call ", ", ", "\n", "！", " (", ") "])


@pytest.mark.parametrize("kind", PERSONAL)
def test_every_kind_is_found_wherever_it_stands(kind: str) -> None:
    @given(PERSONAL[kind], FILLER, FILLER)
    def check(value: str, before: str, after: str) -> None:
        found = scrub(f"{before}{value}{after}")
        assert found.text == f"{before}[{kind}]{after}"
        assert found.kinds == (kind,)

    check()


@given(st.lists(st.one_of(*PERSONAL.values()), max_size=5), st.lists(FILLER, min_size=6, max_size=6))
def test_no_digit_survives_in_a_mixed_text(values: list[str], fillers: list[str]) -> None:
    text = "".join(f"{filler}{value} ; " for filler, value in zip(fillers, values, strict=False))
    found = scrub(text)
    assert not re.search(r"[0-9@]", found.text)
    assert scrub(found.text) == (found.text, ())


@given(st.text(alphabet="0123456789+-. @abcDE８＠[]x", max_size=60))
def test_idempotent_on_anything(text: str) -> None:
    once = scrub(text)
    assert scrub(once.text) == (once.text, ())


SECRETS = (
    "https://files.example/?sig=AbCdEfGhIj", "session_id=abcdefghij", "sk-abcdefghijklmnopqrstuvwx",
    "ghp_abcdefghijklmnopqrstuvwx", "xoxb-abcdefghijklm", "AKIAABCDEFGHIJKLMNOP", "eyJabcdefghij.klmnop.qrs",
    "secret=abcdefgh", "API-Key = abcdefgh", "密码=abcdefgh",
)  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_of_letters_alone_are_found_with_no_digit_anywhere(text: str) -> None:
    assert scrub(text).kinds == ("secret",)


def test_a_name_of_words_with_hyphens_is_no_secret() -> None:
    assert not scrub("sk-learn-contrib-packages and sk-SK-locale-settings-bratislava").kinds
    assert scrub("sk-learn-contrib-packages2").kinds == ("secret",)


@given(
    st.lists(
        st.sampled_from([*SECRETS, "signal", "risk-averse", "sig=", "session", "a@b", "bearer abcdefghi"]), max_size=3
    )
)
def test_a_text_is_looked_at_closely_whether_a_digit_stands_in_it_or_not(parts: list[str]) -> None:
    text = " ".join(parts)
    assert scrub(f"1 {text}").text == f"1 {scrub(text).text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Card 4111 1111 1111 1111 please", "Card [card] please"),
        ("amex 378282246310005, order 5 4111-1111-1111-1111", "amex [card], order 5 [card]"),
        ("IBAN GB82 WEST 1234 5698 7654 32 and DE89370400440532013000.", "IBAN [iban] and [iban]."),
        ("身份证11010519491231002X，手机１３８００１３８０００", "身份证[id]，手机[phone]"),
        ("电话：+86 138-0013-8000或0086 13800138000", "电话：[phone]或[phone]"),
        ("+1 (415) 555-0100 / +33 1 23 45 67 89 / +44 20 7946 0958", "[phone] / [phone] / [phone]"),
        ("邮箱abc.d+e@mail.example.co.uk谢谢, IP 192.168.0.1.", "邮箱[email]谢谢, IP [ip]."),
        ("发到zhang.san@公司.cn或li@例子.中国，谢谢", "发到[email]或[email]，谢谢"),
        ("info@münchen.de, a@qq.com请回复", "[email], [email]请回复"),
        ("ivan@пример.рф или иван@пример.рф", "[email] или [email]"),
        ("kim@한국.한국, josé@gmail.com, jose\u0301@gmail.com", "[email], [email], [email]"),
        ("a@例子.香港和a@mail.de.公司.cn、a@xn--fiqs8s.xn--55qx5d", "[email]和[email]、[email]"),
        ("写信到a@b.com.谢谢", "写信到[email].谢谢"),
        ("max@mail.firma.de.Über uns, a@b.co.uk.Привет", "[email].Über uns, [email].Привет"),
        ("nguyễn.văn@example.com; 내용은hong@example.com", "[email]; 내용은[email]"),
        ("محمد@مثال.السعودية، شكرا", "[email]، شكرا"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert scrub(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "Order 4111 1111 1111 1112 shipped",
        "Revenue 2021 2022 2023 2024 grew +5.2 3.4 1.1 2.2 1.0",
        "2024-05-01 12:30:45.123 error ERR-4012, version 1.22.333.4444",
        "DE89370400440532013001 is not an IBAN, nor is ZZ89370400440532013000",
        "身份证110105194912310021，净利润13800138000.55元，股票代码600519",
        "1.38 million, 300.1.2.3, 12800138000, @tidewater, a@b",
        "1700000000000 and 20240501123045",
        "친구들@여기.봐라, Звоните@нам.сейчас, 2×@home.now, 5@€3.50",
    ],
)
def test_what_only_looks_personal_stays(text: str) -> None:
    assert scrub(text) == (text, ())


@pytest.mark.parametrize(
    "unit", ["a", "1", "1 ", "a.", "a@", "+1 ", "DE89 ", "1-", "a-@b.", "é", "a@é.", "a@xn--a", "+1((", "9" * 19 + " "]
)
def test_hostile_input_ends(unit: str) -> None:
    """200,000 characters of the worst kind; quadratic matching would hang the suite."""
    scrub(unit * (200_000 // len(unit)))
