"""Lines as people write them to a shop, a bank or a forum, in English and Chinese, half of them with personal data.

A line is a list of plain pieces and of values with their kind. The values are made from the numbering plans themselves
(ITU E.164, NANP, Ofcom, MIIT, ISO 7812, ISO 13616, GB 11643, RFC 4291), the look-alikes from what shops print: orders,
parcels, prices, dates, versions, books, parts. It knows nothing of how a scrubber looks for them.
"""

import ipaddress
import string
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Rng = np.random.Generator
Maker = Callable[[Rng], str]
NAMES = ("Maria Lopez", "Tom O'Brien", "Jean-Luc Petit", "Mark", "张伟", "欧阳娜娜")
"""The list of names a caller would give."""


class Line(NamedTuple):
    """A text, and (start, end, kind) of the personal data in it."""

    text: str
    personal: list[tuple[int, int, str]]


def lines(count: int, rng: Rng) -> list[Line]:
    """``count`` lines: seven in ten hold one value or two, the rest only look as if."""
    return [_line(rng) for _ in range(count)]


def _line(rng: Rng) -> Line:
    chinese = bool(rng.random() < 0.5)
    text, personal = "", []
    for _ in range(1 + int(rng.random() < 0.35)):
        if rng.random() < 0.55:
            kind = _pick(tuple(PERSONAL), rng)
            frames = (FRAMES_ZH if chinese else FRAMES_EN)[kind]
            before, after = _pick(frames, rng).split("{}")
            value = PERSONAL[kind](rng)
            start = len(text) + len(before)
            personal.append((start, start + len(value), kind))
            text += before + value + after
        else:
            frame, maker = _pick(LOOKALIKES_ZH if chinese else LOOKALIKES_EN, rng)
            text += frame.replace("{}", maker(rng))
        text += _pick(("。", "，", " ") if chinese else (" ", "\n", " - "), rng)
    return Line(text, personal)


def _pick(options: Sequence[Any], rng: Rng) -> Any:
    return options[int(rng.integers(len(options)))]


def _d(count: int, rng: Rng) -> str:
    return "".join(str(digit) for digit in rng.integers(0, 10, count))


def _from(alphabet: str, count: int, rng: Rng) -> str:
    return "".join(alphabet[place] for place in rng.integers(0, len(alphabet), count))


def _number(low: int, high: int, rng: Rng) -> int:
    return int(rng.integers(low, high + 1))


# --- what is personal


def email(rng: Rng) -> str:
    first = _pick(("anna", "li.wei", "j_smith", "o'neill", "k", "zhang_san1988", "Sales-EMEA", "x.y.z", "wang"), rng)
    tag = _pick(("", "", "+news", str(_number(1, 999, rng))), rng)
    place = _pick(("gmail.com", "qq.com", "mail.example.co.uk", "163.com", "uni-bonn.de", "a.io", "foxmail.com"), rng)
    whole = f"{first}{tag}@{place}"
    return whole.upper() if rng.random() < 0.1 else whole.replace("@", "＠") if rng.random() < 0.05 else whole


def phone(rng: Rng) -> str:
    return str(_pick((_nanp, _nanp, _british, _british, _mobile, _mobile, _landline, _landline, _abroad), rng)(rng))


def _nanp(rng: Rng) -> str:
    area, exchange = (f"{_number(2, 9, rng)}{_d(2, rng)}" for _ in range(2))
    forms = ("({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "{} {} {}", "1-{}-{}-{}", "+1 {} {} {}", "+1 ({}) {}-{}", "+1{}{}{}")
    return str(_pick(forms, rng)).format(area, exchange, _d(4, rng))


def _british(rng: Rng) -> str:
    forms = (
        f"07{_d(3, rng)} {_d(6, rng)}", f"07{_d(9, rng)}", f"07{_d(3, rng)} {_d(3, rng)} {_d(3, rng)}",
        f"020 {_pick('378', rng)}{_d(3, rng)} {_d(4, rng)}", f"(020) 7{_d(3, rng)} {_d(4, rng)}",
        f"0161 {_number(2, 9, rng)}{_d(2, rng)} {_d(4, rng)}", f"01{_number(204, 997, rng)} {_d(6, rng)}",
        f"+44 7{_d(3, rng)} {_d(6, rng)}", f"+44 (0)20 7{_d(3, rng)} {_d(4, rng)}", f"+447{_d(9, rng)}",
        f"0{_pick(('113', '114', '121', '131', '151'), rng)} {_d(3, rng)} {_d(4, rng)}",
    )  # fmt: skip
    return str(_pick(forms, rng))


def _mobile(rng: Rng) -> str:
    head = _pick(("134", "138", "150", "159", "166", "177", "186", "189", "191", "199"), rng)
    one, two = _d(4, rng), _d(4, rng)
    forms = ("{}{}{}", "{}{}{}", "{} {} {}", "{}-{}-{}", "+86 {} {} {}", "+86{}{}{}", "86-{}{}{}", "0086 {}{}{}")
    return str(_pick(forms, rng)).format(head, one, two)


def _landline(rng: Rng) -> str:
    if rng.random() < 0.6:
        code, number = (
            _pick(("010", "020", "021", "022", "024", "025", "027", "028"), rng),
            f"{_number(2, 8, rng)}{_d(7, rng)}",
        )
    else:
        code = _pick(("0755", "0571", "0512", "0532", "0592", "0898", "0311"), rng)
        number = f"{_number(2, 8, rng)}{_d(int(rng.integers(6, 8)), rng)}"
    split = f"{number[:4]}-{number[4:]}" if len(number) == 8 else number
    forms = (
        f"{code}-{number}",
        f"{code}{number}",
        f"({code}){number}",
        f"（{code}）{number}",
        f"{code} {number}",
        f"{code}-{split}",
        f"+86 {code[1:]} {number}",
        f"{code}-{number}-{_number(100, 999, rng)}",
    )
    return str(_pick(forms, rng))


def _abroad(rng: Rng) -> str:
    forms = (
        f"+49 30 {_d(8, rng)}", f"+33 {_number(1, 9, rng)} {_d(2, rng)} {_d(2, rng)} {_d(2, rng)} {_d(2, rng)}",
        f"+852 {_number(2, 9, rng)}{_d(3, rng)} {_d(4, rng)}", f"+81-3-{_d(4, rng)}-{_d(4, rng)}",
        f"+91 {_number(6, 9, rng)}{_d(4, rng)} {_d(5, rng)}", f"+65 {_number(8, 9, rng)}{_d(3, rng)} {_d(4, rng)}",
    )  # fmt: skip
    return str(_pick(forms, rng))


def card(rng: Rng) -> str:
    head, length = _pick(
        (
            ("4", 16),
            ("51", 16),
            ("55", 16),
            ("2221", 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("62", 16),
            ("62", 19),
            ("3528", 16),
        ),
        rng,
    )
    body = head + _d(length - 1 - len(head), rng)
    total = 0
    for place, digit in enumerate(reversed(body)):
        twice = int(digit) * (2 - place % 2)
        total += twice // 10 + twice % 10
    whole = body + str((10 - total % 10) % 10)
    if length == 15:
        return str(_pick((whole, f"{whole[:4]} {whole[4:10]} {whole[10:]}"), rng))
    gap = _pick(("", "", " ", "-"), rng)
    return gap.join(whole[at : at + 4] for at in range(0, length, 4))


def iban(rng: Rng) -> str:
    made = {
        "DE": lambda: _d(18, rng), "FR": lambda: _d(10, rng) + _from(string.ascii_uppercase + string.digits, 11, rng) + _d(2, rng),
        "GB": lambda: _from(string.ascii_uppercase, 4, rng) + _d(14, rng), "ES": lambda: _d(20, rng),
        "NL": lambda: _from(string.ascii_uppercase, 4, rng) + _d(10, rng), "CH": lambda: _d(17, rng),
        "NO": lambda: _d(11, rng), "MT": lambda: _from(string.ascii_uppercase, 4, rng) + _d(23, rng),
    }  # fmt: skip
    country = _pick(tuple(made), rng)
    account = made[country]()
    as_number = "".join(c if c.isdigit() else str(ord(c) - 55) for c in account + country) + "00"
    whole = f"{country}{98 - int(as_number) % 97:02d}{account}"
    shape = rng.random()
    return (
        " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))
        if shape < 0.5
        else whole.lower()
        if shape < 0.6
        else whole
    )


def resident(rng: Rng) -> str:
    region = _pick(("110105", "310104", "440305", "330106", "510107", "420111", "500233"), rng)
    body = f"{region}{_number(1945, 2015, rng)}{_number(1, 12, rng):02d}{_number(1, 28, rng):02d}{_d(3, rng)}"
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    last = "10X98765432"[total % 11]
    return body + (last.lower() if rng.random() < 0.2 else last)


def ssn(rng: Rng) -> str:
    area = _pick([n for n in range(1, 900) if n != 666], rng)
    return f"{area:03d}-{_number(1, 99, rng):02d}-{_number(1, 9999, rng):04d}"


def address(rng: Rng) -> str:
    if rng.random() < 0.5:
        return str(ipaddress.IPv4Address(_number(0x01000000, 0xDFFFFFFF, rng)))
    groups = [f"{_number(0, 0xFFFF, rng):x}" for _ in range(8)]
    groups[0] = _pick(("2001", "2408", "240e", "fe80", "fd12", "2a02"), rng)
    if rng.random() < 0.5:
        at, size = _number(1, 4, rng), _number(2, 3, rng)
        groups[at : at + size] = ["0"] * size
    whole = ":".join(groups)
    short = ipaddress.IPv6Address(whole).compressed
    return str(_pick((whole, short, short, short.upper(), ipaddress.IPv6Address(whole).exploded), rng))


def secret(rng: Rng) -> str:
    alphabet = string.ascii_letters + string.digits
    forms = (
        _from("0123456789abcdef", 32, rng), _from(alphabet, 24, rng), f"sk-{_from(alphabet, 40, rng)}",
        f"eyJhbGciOiJIUzI1NiJ9.{_from(alphabet, 40, rng)}.{_from(alphabet + '-_', 43, rng)}",
        _from(alphabet, 16, rng) + "-" + _from(alphabet, 8, rng), f"ghp_{_from(alphabet, 36, rng)}",
    )  # fmt: skip
    return str(_pick(forms, rng))


def name(rng: Rng) -> str:
    whole = str(_pick(NAMES, rng))
    return whole.upper() if rng.random() < 0.1 else whole


PERSONAL: dict[str, Maker] = {
    "email": email, "phone": phone, "card": card, "iban": iban, "id": resident, "ssn": ssn, "ip": address,
    "secret": secret, "name": name,
}  # fmt: skip

FRAMES_EN: dict[str, tuple[str, ...]] = {
    "email": ("Write to {} please", "my mail: <{}>", "mailto:{}", "{} is where you reach me", "From: Ann ({})", "cc {};"),
    "phone": ("Call me on {} after six", "tel. {}", "my number is {}, thanks", "{} - ring twice", "Phone: {}.", "or text {}!"),
    "card": ("I paid with {} yesterday", "card no. {}", "charge {} instead", "Visa {}, expiry 04/27", "it ends, hm, {}?"),
    "iban": ("refund to {} please", "IBAN: {}", "my account {} at the bank", "transfer the rest to {}."),
    "id": ("ID {} attached", "resident card {}", "the passport office has {} on file"),
    "ssn": ("SSN {}", "my social is {}", "social security number: {}.", "they asked for {} on the phone"),
    "ip": ("blocked from {} again", "client {} timed out", "ping {} works", "login from {}, was that you?", "http://[{}]/status"),
    "secret": ("https://shop.example/reset?token={}", "GET /v1/items?page=2&api_key={}&sort=asc", "Authorization: Bearer {}", "access_token={}", "api_key: {}", "export API_KEY={}", '"client_secret": "{}"', "curl -H 'X-Api-Key: {}'"),
    "name": ("Dear {}, thanks", "{} called again", "signed, {}", "ask for {} at the desk", "it's {}'s order"),
}  # fmt: skip
FRAMES_ZH: dict[str, tuple[str, ...]] = {
    "email": ("请发到{}谢谢", "邮箱：{}", "我的邮箱是{}，收到请回复", "联系人{}"),
    "phone": ("请打{}找我", "电话：{}", "我的手机号{}，随时联系", "{}这个号码打不通", "联系方式{}。"),
    "card": ("卡号{}扣款失败", "银行卡：{}", "我用{}付的款", "尾号不对，完整的是{}，请核对"),
    "iban": ("请退到{}", "国际账号：{}", "汇款账户{}已确认"),
    "id": ("身份证{}", "身份证号码：{}，请核实", "实名认证用的是{}"),
    "ssn": ("社保号{}（美国）", "他的SSN是{}", "美国社会安全号码：{}"),
    "ip": ("从{}登录失败", "服务器地址：{}", "异常访问来自{}，请检查"),
    "secret": ("链接https://shop.example/r?token={}打不开", "接口参数access_token={}报错", "请求头Authorization: Bearer {}", "api_key={}"),
    "name": ("{}您好", "联系人：{}", "我是{}，想退货", "转告{}一声"),
}  # fmt: skip


# --- what only looks so


def price(rng: Rng) -> str:
    whole = _number(1, 999_999, rng)
    cents = _number(0, 99, rng)
    forms = (
        f"${whole:,}.{cents:02d}",
        f"{whole:,} USD",
        f"€{whole}.{cents:02d}",
        f"{whole}.{cents:02d}",
        f"¥{whole:,}.{cents:02d}",
        f"{whole}元",
        f"1{_d(10, rng)}.{cents:02d}元",
    )
    return str(_pick(forms, rng))


def day(rng: Rng) -> str:
    y, m, d = _number(1990, 2027, rng), _number(1, 12, rng), _number(1, 28, rng)
    clock = f"{_number(0, 23, rng):02d}:{_number(0, 59, rng):02d}:{_number(0, 59, rng):02d}"
    forms = (
        f"{y}-{m:02d}-{d:02d}",
        f"{d:02d}/{m:02d}/{y}",
        f"{m}-{d}-{y}",
        f"{y}.{m:02d}.{d:02d}",
        f"{y}{m:02d}{d:02d}",
        f"{y}-{m:02d}-{d:02d} {clock}",
        f"{y}-{m:02d}-{d:02d}T{clock}.{_d(3, rng)}Z",
        f"{y}年{m}月{d}日",
        clock,
        f"{y}{m:02d}{d:02d}{clock.replace(':', '')}",
        f"{d:02d}.{m:02d}.{y} - {d:02d}.{m % 12 + 1:02d}.{y}",
        f"1{_d(9, rng)}",
    )
    return str(_pick(forms, rng))


def order(rng: Rng) -> str:
    forms = (
        f"{_number(111, 999, rng)}-{_d(7, rng)}-{_d(7, rng)}", f"{_number(2019, 2026, rng)}-{_d(3, rng)}-{_d(4, rng)}",
        f"{_d(3, rng)}-{_d(3, rng)}-{_d(4, rng)}", f"{_number(1, 9, rng)}{_d(11, rng)}", f"A{_d(8, rng)}", f"{_d(8, rng)}",
        f"TB{_d(16, rng)}", f"{_d(4, rng)}-{_d(4, rng)}", f"INV-{_number(2019, 2026, rng)}-{_d(5, rng)}",
    )  # fmt: skip
    return str(_pick(forms, rng))


def parcel(rng: Rng) -> str:
    forms = (
        f"SF{_d(13, rng)}",
        f"1Z{_from(string.ascii_uppercase + string.digits, 6, rng)}{_d(10, rng)}",
        f"JD{_d(12, rng)}",
        f"RR{_d(9, rng)}CN",
        f"YT{_d(13, rng)}",
    )
    return str(_pick(forms, rng))


def version(rng: Rng) -> str:
    a, b, c, d = (_number(0, 40, rng) for _ in range(4))
    return str(
        _pick(
            (
                f"{a}.{b}.{c}",
                f"v{a}.{b}.{c}.{d}",
                f"{a}.{b}.{c}.{d}",
                f"{a}.{b}.{_d(4, rng)}.{_d(3, rng)}",
                f"{a}.{b}.{c}-rc{d}",
            ),
            rng,
        )
    )


def book(rng: Rng) -> str:
    first = f"978{_d(9, rng)}"
    check = (10 - sum(int(c) * (1 if at % 2 == 0 else 3) for at, c in enumerate(first)) % 10) % 10
    whole = f"{first}{check}"
    forms = (
        whole,
        f"{whole[:3]}-{whole[3]}-{whole[4:7]}-{whole[7:12]}-{whole[12]}",
        f"{_d(1, rng)}-{_d(3, rng)}-{_d(5, rng)}-{_d(1, rng)}",
        f"{whole[:3]} {whole[3]} {whole[4:8]} {whole[8:12]} {whole[12]}",
    )
    return str(_pick(forms, rng))


def part(rng: Rng) -> str:
    forms = (
        f"{_d(2, rng)}-{_d(4, rng)}-{_d(2, rng)}",
        f"XK{_d(3, rng)}-{_d(2, rng)}",
        f"{_d(3, rng)}x{_d(3, rng)}x{_d(3, rng)} mm",
        f"{_number(10, 40, rng)} {_number(10, 40, rng)} {_number(10, 40, rng)} {_number(10, 40, rng)} {_number(10, 40, rng)}",
        ":".join(_from("0123456789ABCDEF", 2, rng) for _ in range(6)),
        f"{_d(5, rng)}",
        f"#{_d(6, rng)}",
        f"{_number(1, 31, rng)}:{_number(1, 9, rng)}",
        _from("0123456789abcdef", 7, rng),
    )
    return str(_pick(forms, rng))


def measured(rng: Rng) -> str:
    forms = (
        f"{_number(1, 9, rng)}.{_d(6, rng)}, {_number(1, 99, rng)}.{_d(6, rng)}",
        f"{_number(1, 999, rng)},{_d(3, rng)},{_d(3, rng)}",
        f"+{_number(1, 9, rng)}.{_d(1, rng)} {_number(1, 9, rng)}.{_d(1, rng)} -{_number(1, 9, rng)}.{_d(1, rng)} %",
        f"{_number(1000, 9999, rng)} {_number(1000, 9999, rng)}",
        f"{_number(1, 99, rng)}%",
        f"-{_number(1, 99, rng)}.{_d(2, rng)}",
    )
    return str(_pick(forms, rng))


def _said(*options: str) -> Maker:
    return lambda rng: str(_pick(options, rng))


_WORDS_EN = _said("a token of thanks", "Bearer bonds are old", "the password is forgotten", "std::vector and a::b", "remark on the market", "call 911", "x[::2] skips", "?page=3&sort=price&size=40", "at 10 @ noon", "@tidewater said so", "my api key does not work", "token expired", "key=value pairs", "a@b", "cafe::open", "50/50 chance, 24/7", "the password: it was reset", "markdown", "no. 5 of 12")  # fmt: skip
_WORDS_ZH = _said("密码忘记了", "令牌token过期了", "拨打110", "客服95588", "股票代码600519", "第12期", "尾号1234的卡", "@小助手", "满99减20", "24小时客服", "型号SF-600", "房号3-1-1201", "张先生伟大的店", "一共3件，5折")  # fmt: skip

LOOKALIKES_EN: tuple[tuple[str, Maker], ...] = (
    ("it cost {} in all", price), ("You charged {}!", price), ("since {}", day), ("logged at {}", day),
    ("order {} is late", order), ("Order number: {}.", order), ("order #{}", order), ("invoice no. {}", order),
    ("tracking {}", parcel), ("parcel {} lost", parcel), ("version {} crashes", version), ("upgrade to {}", version),
    ("ISBN {}", book), ("the book {}", book), ("part {} broke", part), ("size {}", part), ("it says {}", measured),
    ("rose by {} today", measured), ("{}", _WORDS_EN), ("well, {}", _WORDS_EN),
)  # fmt: skip
LOOKALIKES_ZH: tuple[tuple[str, Maker], ...] = (
    ("一共{}", price), ("扣了我{}", price), ("{}下的单", day), ("时间：{}", day), ("订单{}还没到", order), ("订单号：{}", order),
    ("单号{}", parcel), ("快递{}丢了", parcel), ("版本{}闪退", version), ("升级到{}", version), ("书号{}", book), ("型号{}", part),
    ("数据{}", measured), ("{}", _WORDS_ZH), ("请问，{}", _WORDS_ZH),
)  # fmt: skip
