"""Text from outside for places of a page that read Markdown: shown as it is, never obeyed (pure).

A headline, a title or a file name may hold a link, a picture or HTML; a picture alone would make the reader's browser
ask a stranger's server. It does not know which page shows the text.
"""

_MARKUP = frozenset("\\`*_{}[]()<>#+-.!|$:~&=^")


def plain(text: str) -> str:
    """The text on one line, every sign that Markdown could read as markup escaped with a backslash.

    Also fit for the address of a link: backslashes work there too (CommonMark 0.31, section 2.4).
    """
    return "".join(f"\\{sign}" if sign in _MARKUP else sign for sign in " ".join(text.split()))
