"""Two languages for every page: a table of English and Chinese wordings, and a function that picks one."""

from collections.abc import Callable, Mapping

LANGUAGES = {"en": "English", "zh": "中文"}


def translator(language: str, table: Mapping[str, tuple[str, str]]) -> Callable[[str], str]:
    """A function from key to wording.

    Args:
        language: ``"en"`` or ``"zh"``.
        table: key -> (English, Chinese).

    Returns:
        ``t(key)``; a key missing from the table raises KeyError, so a page cannot show a hole.
    """
    column = list(LANGUAGES).index(language)
    return lambda key: table[key][column]
