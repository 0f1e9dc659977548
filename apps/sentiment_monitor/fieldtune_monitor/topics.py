"""Topics by keywords, for companies that have no topic model yet (pure).

A Latin keyword matches whole words ("ai" does not match "training"), a Chinese one anywhere; a keyword between slashes
is a regular expression on the lower-case text. A story may belong to several topics. Of a model it knows the names of topics.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from fieldtune.errors import ConfigError
from fieldtune.text.normalise import normalise, simplify


def matcher(keywords: Mapping[str, Sequence[str]]) -> Callable[[str], tuple[str, ...]]:
    """A function from text to the names of all topics with a keyword in it, in the order given.

    Args:
        keywords: topic name -> keywords; a topic without keywords never matches.

    Raises:
        ConfigError: a keyword between slashes is no regular expression.
    """
    patterns = {name: _pattern(name, words) for name, words in keywords.items() if words}

    def topics_of(text: str) -> tuple[str, ...]:
        plain = simplify(normalise(text))
        return tuple(name for name, pattern in patterns.items() if pattern.search(plain))

    return topics_of


def untaught(keywords: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, str]:
    """The topics that the model does not know and only their keywords find -> the one that is nearly named so, or "".

    Args:
        keywords: topic name -> keywords.
        known: the topics of the model; none where it has no topic model, and nothing is said then.

    Raises:
        ConfigError: a topic that nothing would ever find: the model does not know it, and it has no keywords.
    """
    strange = [name for name in keywords if known and name not in known]
    free = {name.casefold(): name for name in known if name not in keywords}
    near = {name: difflib.get_close_matches(name.casefold(), free, n=1, cutoff=0.6) for name in strange}
    meant = {name: free[found[0]] if found else "" for name, found in near.items()}
    if wrong := [name for name in strange if not keywords[name]]:
        guesses = [f"{meant[name]!r} for {name!r}" for name in wrong if meant[name]]
        raise ConfigError(
            f"topics that the model knows ({', '.join(known)})",
            ", ".join(wrong),
            f"did you mean {', '.join(guesses)}?" if guesses else "use one of these, or give the topic keywords",
        )
    return meant


def _pattern(name: str, words: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(_one(name, word) for word in words))


def _one(name: str, word: str) -> str:
    if len(word) > 2 and word[0] == word[-1] == "/":
        try:
            re.compile(word[1:-1])
        except re.error as error:
            raise ConfigError(
                f"a regular expression between slashes in the keywords of topic '{name}'",
                f"{word} ({error})",
                "correct the expression, or drop the slashes to match the words themselves",
            ) from error
        return f"(?:{word[1:-1]})"
    plain = re.escape(simplify(normalise(word)))
    latin = bool(re.fullmatch(r"[\x00-\u024f]+", word))
    return rf"(?<![a-z0-9]){plain}(?:s|es)?(?![a-z0-9])" if latin else plain
