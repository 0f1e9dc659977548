"""Article text that no program runs, fetches or hides something in: what is read is quoted to customers. Pure.

Whoever shows a reply may take it for HTML or Markdown. So what a reader of the article would not see goes (OWASP LLM01:
hidden instructions), and what a browser would act on becomes words. Knows forms, not meanings: visible text stays, even
where it asks a machine to do something, because nothing here obeys texts.
"""

import re
from collections.abc import Collection
from typing import Final

LINK: Final = "[link]"
"""Stands where the address of a host was that answers may not name."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
    "|(?<=[ -~\u3400-\u9fff])[\u200c\u200d]"  # in Persian or an emoji the joiners mean something
)
_CODE = re.compile(
    r"(^ {0,3}```.*?(?:^ {0,3}```[^\n]*|\Z)|^ {0,3}~~~.*?(?:^ {0,3}~~~[^\n]*|\Z)|`[^`\n]+`)", re.M | re.S
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_UNSEEN = re.compile(
    r"<(script|style|iframe|object|template|noscript|svg|math|head|title|select|textarea|audio|video)\b[^<>]*>"
    r".*?(?:</\1\s*>|\Z)",
    re.I | re.S,
)
_STYLE = r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.\d]*[1-9])|font-size\s*:\s*0(?![.\d]*[1-9])"
_VEILED = re.compile(rf"<([a-z]+)\b(?=[^<>]{{0,999}}?(?:{_STYLE}|\shidden\b))[^<>]*>.*?(?:</\1\s*>|\Z)", re.I | re.S)
_TAG = re.compile(
    r"</?(a|abbr|acronym|address|applet|area|article|aside|b|base|basefont|bdi|bdo|big|blockquote|body|br|button|canvas|"
    r"caption|center|cite|code|col|colgroup|data|dd|del|details|dfn|dialog|div|dl|dt|em|embed|fieldset|figcaption|figure|"
    r"font|footer|form|frame|frameset|h[1-6]|header|hr|html|i|img|input|ins|kbd|label|legend|li|link|main|map|mark|"
    r"marquee|menu|meta|meter|nav|ol|optgroup|option|output|p|param|picture|pre|progress|q|rp|rt|ruby|s|samp|section|"
    r"small|source|span|strike|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|time|tr|track|tt|u|ul|var|wbr)"
    r"(?:[\s/][^<>]*)?>",
    re.I,
)
_INLINE = frozenset(
    "a abbr b bdi bdo cite code del dfn em font i ins kbd mark q s small span strike strong sub sup u".split()
)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[\w.+-]+@[\w.-]+)>")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])([^<>\n]*)(>?)")
_MARKDOWN_LINK = re.compile(
    r"(!?)\[([^\[\]\n]*)\]\(\s*<?((?:[^\s()<>]|\([^\s()<>]*\))*)>?(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'))?\s*\)"
)
_SCHEME = re.compile(r"\b(javascript|vbscript|livescript|data)\s*:(?=\s*[\w(/\"'+-])", re.I)
_DATA = re.compile(r"\bdata\s*:\s*[\w.+-]+/[\w.+-]+\s*[;,]", re.I)
_ADDRESS = re.compile(
    r"(?:(?:(?:https?|ftp|wss?):[/\\]*|(?<![:/\w])//|\bwww\.)|(?<![\w@.-])(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}(?=/))"
    r"[^\s<>\"'`\[\](){}，。、；：！？（）【】「」《》]+",
    re.I,
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@([a-z0-9.-]{1,253})", re.I)
_HOST = re.compile(r"(?:https?:)?//([a-z0-9.-]+)(?::\d{1,5})?(?=[/?#]|\Z)", re.I)
_RELATIVE = re.compile(r"(?!//)[^:&\\%\s]+")


def inert(text: str, hosts: Collection[str] | None = None) -> str:
    """The text with its words, and nothing in it that a browser runs or fetches by itself.

    Invisible characters are dropped, ``<tag>`` is written ``‹tag›``, a picture is its description, and a link to anything
    but a page, a mail or a part of the folder is its words.

    Args:
        hosts: those whose addresses may stand, their subdomains included; every other address becomes `LINK`. None: all.
    """
    text = _INVISIBLE.sub("", text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _MARKDOWN_LINK.sub(lambda link: _link(link, hosts), text).replace("![", "[")
    text = _MARKUP.sub(lambda tag: f"‹{tag[1]}{'›' if tag[2] else ''}", text)
    text = _SCHEME.sub(lambda scheme: scheme[0] if _harmless_data(text, scheme) else f"{scheme[1]}：", text)
    return text if hosts is None else _only(text, hosts)


def rendered(text: str) -> str:
    """Markdown without its HTML: hidden elements, comments and scripts go whole, of others the tags; code stays."""
    if "<" not in text:
        return text
    return "".join(piece if place % 2 else _without_html(piece) for place, piece in enumerate(_CODE.split(text)))


def veiled(style: str) -> bool:
    """Whether what has this style cannot be seen."""
    return bool(re.search(_STYLE, style, re.I))


def _without_html(text: str) -> str:
    for pattern in (_COMMENT, _UNSEEN, _VEILED):
        text = pattern.sub("", text)
    return _TAG.sub(lambda tag: "" if tag[1].lower() in _INLINE else " ", text)


def _harmless_data(text: str, scheme: re.Match[str]) -> bool:
    """``data: none`` is a phrase; ``data:text/html,`` a page."""
    return scheme[1].lower() == "data" and not _DATA.match(text, scheme.start())


def _link(link: re.Match[str], hosts: Collection[str] | None) -> str:
    picture, words, target = link.groups()
    if picture:
        return words
    mail = target.lower().startswith(("mailto:", "tel:"))
    safe = (mail and hosts is None) or _RELATIVE.fullmatch(target) or (_HOST.match(target) and _named(target, hosts))
    return link[0] if safe else words


def _named(address: str, hosts: Collection[str] | None) -> bool:
    """Whether the address is of one of the hosts, by the strictest reading: no user before it, plain letters."""
    found = _HOST.match(address)
    host = found[1].lower().strip(".") if found else ""
    return hosts is None or any(host == one or host.endswith(f".{one}") for one in hosts)


def _only(text: str, hosts: Collection[str]) -> str:
    """The text without web and mail addresses of other hosts."""
    text = _MAIL.sub(lambda mail: mail[0] if _named(f"//{mail[1].rstrip('.-')}", hosts) else LINK, text)
    return _ADDRESS.sub(lambda found: found[0] if _named(_from_scheme(found[0]), hosts) else LINK, text)


def _from_scheme(address: str) -> str:
    return address if ":" in address.partition("/")[0] or address.startswith("//") else f"//{address}"
