"""Past support chats with everything that makes mining them hard, and the truth beside each.

A chat is built from exchanges (training question, FAQ answer) with noise: greetings, small talk, several topics,
wrong first answers, re-asks, personal data, unresolved ends. Pure: pools, shares and a generator come in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from fieldtune_sample import personal
from fieldtune_sample.noise import chance, pick, reword, roughen
from fieldtune_sample.support_pool import Topic

Question = tuple[Topic, str, str]  # topic, training question, answer


@dataclass(frozen=True)
class Shares:
    """How often each kind of noise happens, as a share of the chats (`slips`: of the customer's questions)."""

    chinese: float = 0.4
    several_topics: float = 0.2
    wrong_first: float = 0.12
    asks_again: float = 0.12
    personal_data: float = 0.25
    unresolved: float = 0.12
    small_talk: float = 0.3
    off_topic: float = 0.04
    slips: float = 0.25


@dataclass
class Chat:
    """One chat in the making: turns so far, the clock, and what was planted."""

    pools: Mapping[str, Any]
    language: str
    name: str
    time: datetime
    rng: np.random.Generator
    turns: list[dict[str, str]] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)

    def say(self, role: str, phrases: str, **filled: str) -> None:
        """Add a turn from a named list of phrases, between 5 and 120 seconds after the last one."""
        text = pick(self.pools[phrases], self.rng).format(name=self.name, **filled)
        self.turns.append({"role": role, "text": text, "time": self.time.isoformat()})
        self.time += timedelta(seconds=int(self.rng.integers(5, 120)))

    def happens(self, share: float, kind: str) -> bool:
        """Draw, and write down under `kind` when it happens."""
        if not chance(share, self.rng):
            return False
        self.noise.append(kind)
        return True


def dialogues(
    topics: Mapping[str, Sequence[Topic]],
    documents: Mapping[tuple[str, str], str],
    off_topic: Mapping[str, Sequence[tuple[str, str]]],
    pools: Mapping[str, Any],
    shares: Shares,
    count: int,
    start: datetime,
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """`count` chats in order of time, about eleven a day from `start`; truth in intent, document ("a|b"), noise."""
    time = start
    for number in range(count):
        time += timedelta(minutes=float(rng.exponential(130)))
        language = "zh" if chance(shares.chinese, rng) else "en"
        chat = Chat(pools[language], language, pick(pools[language]["agents"], rng), time.replace(microsecond=0), rng)
        asked: list[Topic] = []
        if chance(shares.off_topic, rng):
            resolved = _off_topic(chat, pick(off_topic[language], rng)[1])
        else:
            asked, resolved = _conversation(chat, topics[language], shares)
        yield {
            "id": f"chat-{number + 1:05d}",
            "language": language,
            "turns": chat.turns,
            "resolved": resolved,
            "rating": _rating(resolved, rng),
            "intent": "|".join(topic.intent for topic in asked),
            "document": "|".join(documents[language, topic.id] for topic in asked),
            "noise": chat.noise,
        }


def _conversation(chat: Chat, topics: Sequence[Topic], shares: Shares) -> tuple[list[Topic], bool]:
    """Fill the chat; the topics asked about, and whether the last one was settled."""
    rng = chat.rng
    count = int(rng.integers(2, 4)) if chat.happens(shares.several_topics, "several_topics") else 1
    asked = [topics[int(place)] for place in rng.choice(len(topics), size=count, replace=False)]
    _opening(chat, shares)
    resolved = True
    for place, topic in enumerate(asked):
        question: Question = (topic, *pick(topic.exchanges(), rng))
        chat.say("customer", "next_question" if place else "question", question=_rough(chat, question[1], shares))
        if place == 0 and chat.happens(shares.personal_data, "personal_data"):
            _identify(chat)
        if place == count - 1 and chat.happens(shares.unresolved, "unresolved"):
            resolved = _leave_open(chat, topic, topics)
        else:
            _answer(chat, question, topics, shares)
    if resolved:
        _closing(chat)
    return asked, resolved


def _opening(chat: Chat, shares: Shares) -> None:
    if chance(0.6, chat.rng):
        chat.say("customer", "hello_customer")
        chat.say("agent", "hello_agent")
    elif chance(0.5, chat.rng):
        chat.say("agent", "hello_agent")
    if chat.happens(shares.small_talk, "small_talk"):
        chat.say("customer", "small_customer")
        chat.say("agent", "small_agent")


def _identify(chat: Chat) -> None:
    """The agent asks who it is; the customer types something that must never be stored."""
    _, value = personal.any_of(chat.language, chat.rng)
    order = f"TW-{int(chat.rng.integers(1000, 9999))}-{int(chat.rng.integers(1000, 9999))}"
    chat.say("agent", "ask_details")
    chat.say("customer", "give_details", personal=value, order=order)
    chat.say("agent", "thank_details", personal=value)


def _answer(chat: Chat, question: Question, topics: Sequence[Topic], shares: Shares) -> None:
    """Right at once, or after a wrong first answer; sometimes asked and answered a second time."""
    topic, text, answer = question
    if chat.happens(shares.wrong_first, "wrong_first"):
        chat.say("agent", "answer", answer=_wrong_answer(chat, topic, topics))
        phrases = "wrong_repeat" if chance(0.6, chat.rng) else "wrong_customer"
        chat.say("customer", phrases, question=_rough(chat, text, shares))
        chat.say("agent", "correction", answer=_reworded(chat, answer))
    else:
        chat.say("agent", "answer", answer=_reworded(chat, answer))
    if chat.happens(shares.asks_again, "asks_again"):
        other = pick([ask for ask, reply in topic.exchanges() if reply == answer and ask != text] or [text], chat.rng)
        chat.say("customer", "again_customer", question=_rough(chat, other, shares))
        chat.say("agent", "again_answer", answer=_reworded(chat, answer))


def _leave_open(chat: Chat, topic: Topic, topics: Sequence[Topic]) -> bool:
    """An end that helps nobody: a wrong answer nobody corrects, or no answer. Always False."""
    if chance(0.5, chat.rng):
        chat.say("agent", "answer", answer=_wrong_answer(chat, topic, topics))
        chat.say("customer", "wrong_customer")
    else:
        chat.say("agent", "hand_over")
    chat.say("customer", "fallback_customer")
    return False


def _off_topic(chat: Chat, question: str) -> bool:
    chat.noise.append("off_topic")
    chat.say("customer", "question", question=question)
    chat.say("agent", "refuse")
    return False


def _closing(chat: Chat) -> None:
    if chance(0.7, chat.rng):
        chat.say("customer", "thanks_customer")
    if chance(0.7, chat.rng):
        chat.say("agent", "bye_agent")


def _wrong_answer(chat: Chat, topic: Topic, topics: Sequence[Topic]) -> str:
    """An answer from one of the six nearest topics in the files, which are alike."""
    step = pick((-3, -2, -1, 1, 2, 3), chat.rng)
    return _reworded(chat, pick(topics[(topics.index(topic) + step) % len(topics)].faq, chat.rng).answer)


def _rough(chat: Chat, text: str, shares: Shares) -> str:
    """Typos only: the phrase lists bring their own greetings."""
    return roughen(text, shares.slips, {**chat.pools, "prefixes": [""], "suffixes": [""]}, chat.rng)


def _reworded(chat: Chat, answer: str) -> str:
    return reword(answer, chat.pools["rewrites"], chat.rng)


def _rating(resolved: bool, rng: np.random.Generator) -> int | None:
    """Stars from 1 to 5; a third leave none."""
    if chance(1 / 3, rng):
        return None
    return int(pick((5, 5, 5, 4, 4, 3) if resolved else (1, 1, 2, 2, 3), rng))
