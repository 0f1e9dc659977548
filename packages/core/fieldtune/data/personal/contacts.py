"""Where somebody can be reached: e-mail, telephone, network address. Pure.

Telephones: international ones, and national ones as the United States, Britain, France, Japan and China write them. A
number without + and without its country's grouping is found where a word such as "phone" stands before it.
"""

import ipaddress
import re
from collections.abc import Iterator

from fieldtune.data.personal.context import names_a_version, names_an_order

Spans = Iterator[tuple[int, int]]
# Letters of scripts that part words by blanks, so that what stands before is no part of the address.
_PARTED = (
    r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0300-\u0373\u0386-\u0481\u048a-\u052f\u0531-\u0587\u05d0-\u05ea\u0620-\u064a"
    r"\u066e-\u06d3\u0900-\u0963\u0966-\u0dff\u10a0-\u10ff\u1e00-\u1fff"
)
# Ends of domains in other letters than ASCII's, as the Internet's root knows them; a sentence may follow on a full stop.
_ELSEWHERE = r"""(?:рф|рус|бел|укр|срб|мкд|мон|қаз|бг|ею|онлайн|сайт|орг|ком|дети|москва|ευ|ελ|հայ|გე|ישראל|קום|السعودية|امارات
    |مصر|عمان|قطر|المغرب|الجزائر|تونس|الاردن|سورية|فلسطين|العراق|اليمن|ليبيا|السودان|لبنان|ایران|پاکستان|بھارت|شبكة|موقع|भारत|नेट|संगठन|कॉम
    |বাংলা|ভারত|இந்தியா|இலங்கை|సింగపూర్|భారత్|ලංකා|한국|닷컴|닷넷|삼성|中[国國]|公司|[网網][络絡]|香港|台[湾灣]|新加坡|澳[门門]|公益|政[务府]|机构
    |组织机构|集团|企业|在线|中文网|[网商]店|网[址站]|商[城标]|信息|移动|手机|我爱你|佛山|广东|世界|健康|慈善|ไทย|คอม|コム|みんな)"""
_EMAIL = re.compile(
    rf"""[A-Za-z0-9._%+'\-{_PARTED}]{{1,64}}@(?:
    (?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.){{1,8}}(?:xn--[A-Za-z0-9-]{{2,59}}|[A-Za-z]{{2,24}}+)(?!\.(?:[A-Za-z0-9]|{_ELSEWHERE}))
    # A domain in other letters: 公司.cn, münchen.de, 例子.中国
    |(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?\.){{1,8}}(?:xn--[A-Za-z0-9-]{{2,59}}|[A-Za-z]{{2,24}}|{_ELSEWHERE})
    )""",
    re.VERBOSE,
)
_INTERNATIONAL = re.compile(r"(?<![0-9+])\+(?:[0-9][ .()-]{0,2}){7,14}[0-9](?![0-9])")
_MOBILE = re.compile(r"(?<![0-9])(?<![0-9]\.)(?:(?:00)?86[ -]?)?1[3-9](?:[ -]?[0-9]){9}(?![0-9]|\.[0-9])")
_BEFORE, _AFTER = r"(?<![0-9]\.)(?<![0-9A-Za-z+#-])", r"(?![0-9A-Za-z]|[.-][0-9])"
_NATIONAL = re.compile(
    rf"{_BEFORE}(?:"
    # North America: (202) 555-0147
    r"(?:1[-. ])?(?:\([2-9][0-9]{2}\)[ -]?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}"
    # A trunk code: 020 7946 0018, 01632 960123, 0755-26012345, (010)6552-9988, and an extension
    r"|(?:\(0[1-9][0-9]{1,3}\)|0[1-9][0-9]{1,4})(?:[ -]?[0-9]{3,4}){2}(?:-[0-9]{1,5})?"
    # France and Japan: 01 99 00 12 34, 03-1234-5678
    r"|0[1-9](?: [0-9]{2}){4}|0[1-9](?:\.[0-9]{2}){4}|0[1-9]-[0-9]{4}-[0-9]{4}"
    rf"){_AFTER}"
)
_ANNOUNCED = re.compile(
    r"(?:tel|(?!(?<=\[)(?-i:phone\]))phone|telephone|mobile|cell|fax|call|text|whatsapp|电话|手机号?|致电|拨打|联系方式)"
    r"[^0-9+\n]{0,12}([0-9](?:[ ()-]{0,2}[0-9]){8,14})(?![0-9A-Za-z]|[.,-][0-9])",
    re.IGNORECASE,
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![0-9.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])")
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z.])(?<![0-9A-Fa-f]:)(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{0,4}){1,8}"
    r"(?=%[0-9A-Za-z]{1,15}(?![0-9A-Za-z])|(?![0-9A-Za-z:%]))"
)


def emails(text: str) -> Spans:
    """Addresses of e-mail, not those that need quotes."""
    return (match.span() for match in _EMAIL.finditer(text))


def phones(text: str) -> Spans:
    """E.164: + and up to 15 digits; Chinese mobile phones; national forms, unless an order's number is announced.

    More than one lone digit after the country code is a list of figures.
    """
    for match in _INTERNATIONAL.finditer(text):
        groups = re.findall("[0-9]+", match.group())
        if sum(len(group) == 1 for group in groups[1:]) <= 1:
            yield match.span()
    for match in _MOBILE.finditer(text):
        if max(len(group) for group in re.findall("[0-9]+", match.group())) != 2:  # sizes: 14 16 18 20 22 24
            yield match.span()
    for match in _NATIONAL.finditer(text):
        digits = sum(sign.isdigit() for sign in match.group())
        if digits >= 10 and not names_an_order(text, match.start()):
            yield match.span()
    for match in _ANNOUNCED.finditer(text):
        if not names_an_order(text, match.start(1)):
            yield match.span(1)


def addresses(text: str) -> Spans:
    """IPv4 and IPv6 (RFC 4291); not a version of four numbers, nor what has no three hexadecimal digits in a group."""
    for match in _IPV4.finditer(text):
        if not names_a_version(text, match.start()):
            yield match.span()
    for match in _IPV6.finditer(text):
        longest = max(len(group) for group in match.group().split(":"))
        if longest >= 3 and any(sign.isdigit() for sign in match.group()) and _is_ipv6(match.group()):
            yield match.span()


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
