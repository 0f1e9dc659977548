"""Which of the languages we serve a text is written in, by its script.

Knows scripts, not words: French or Spanish looks "en" here, and a text of digits only is "other".
"""

import re

from fieldtune.errors import InputError

LANGUAGES = ("en", "zh", "other")
"""What `detect` tells apart, and all that a user may call a text."""
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003347f"
KANA_HANGUL = "\u3040-\u30ff\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"

_HAN = re.compile(f"[{HAN}]")
_KANA_HANGUL = re.compile(f"[{KANA_HANGUL}]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_OTHER_WORD = re.compile(f"[^\\W\\d_A-Za-z\u00c0-\u024f{HAN}{KANA_HANGUL}]+")


def detect(text: str) -> str:
    """Return "zh", "en" or "other".

    A Chinese character weighs as much as a Latin word, so "Visa卡怎么办" is "zh" and a Chinese name inside an
    English sentence leaves it "en". Kana or hangul beyond a fifth of the East Asian characters is "other".
    """
    han, latin = len(_HAN.findall(text)), len(_LATIN_WORD.findall(text))
    east, other = len(_KANA_HANGUL.findall(text)), len(_OTHER_WORD.findall(text))
    words = han + latin + east + other
    foreign = east * 5 > han + east and (east + han) * 2 > words
    if not words or other * 2 > words or foreign:
        return "other"
    if han * 3 >= words:
        return "zh"
    return "en" if latin * 2 >= words else "other"


def known(tag: str, where: str = "") -> str:
    """A user's language tag as one of `LANGUAGES`: zh-CN and zh_TW are "zh", EN is "en"; "" for none.

    Args:
        tag: a language tag (BCP 47), or nothing.
        where: the place of the tag, for the message, e.g. ``"line 3 of faq.csv"``.

    Raises:
        InputError: another language: nothing here would ever look for it.
    """
    language = re.split("[-_]", tag.strip().lower(), maxsplit=1)[0]
    if language and language not in LANGUAGES:
        found = f"{tag!r} in {where}" if where else repr(tag)
        raise InputError(f"a language out of {', '.join(LANGUAGES)}", found, "correct it, or leave it empty")
    return language
