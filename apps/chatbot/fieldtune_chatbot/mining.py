"""Questions and the answers that worked, out of finished support conversations. Pure, no language model.

Segment, drop greetings and closings, pair each customer question with the agent's next substantive turn, weigh by how
the conversation went on, remove personal data, join what says the same. Nothing mined is published by itself: a person
approves it.
Knows wording and outcome, not truth: a wrong answer nobody complained about is weighed like a right one.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from fieldtune.data.scrub import scrub
from fieldtune.text.language import detect
from fieldtune.text.ngrams import lexical_tokens
from fieldtune.text.normalise import equality_key
from fieldtune.text.sentences import spans
from fieldtune_chatbot.boilerplate import unrelated, unwrapped, wrappers
from fieldtune_chatbot.records import Dialogue, MinedPair, Turn

# Where one phrase begins another, the longer stands first, for a phrase once read is not tried again.
_POLITE_EN = (
    r"hi|hello|hey|hiya|good (?:morning|afternoon|evening|day)|dear \w+|thanks?(?: you(?! are|'?re))?(?: (?:so|very) much| a lot)?|"
    r"cheers|brilliant|awesome|lovely|you(?: are|'?re) (?:very |most )?welcome|any time|bye|goodbye|see you|ok(?:ay)?|"
    r"great|perfect|got it|sure|yes|no problem|no|welcome|please help(?: me)?|help(?: me)? please|plz|pls|lol|"
    r"have a (?:nice|great|good) \w+|there|team|all|again|please|for (?:your|the) (?:help|time|patience)|"
    r"that(?:'s| is) (?:all|great|perfect|it)|that (?:helps|works|solved it)|glad (?:to|i could) help|"
    r"(?:is there )?anything else(?: i can (?:help|do)(?: you)?(?: with)?(?: today)?(?: for you)?)?|"
    r"how (?:can|may) i help(?: you)?(?: today)?|one moment|just a (?:moment|second|minute)|let me (?:check|look|see)|"
    r"excuse me|sorry to bother(?: you)?|(?:just )?(?:a |one )?(?:quick|short|small|simple) (?:question|one)|"
    r"i have (?:a|one) (?:quick )?question|thx|thnx|tks|tysm|ty|many thanks|in advance|much appreciated"
)
_POLITE_ZH = (
    r"你好|您好|早上好|上午好|下午好|晚上好|在吗|有人吗|谢谢(?:你|您)?|多谢|感谢|好的|好|嗯|行|明白了?|知道了|收到|再见|拜拜|"
    r"不客气|没关系|懂了|太好了|随时为您服务|请慢走|很高兴(?:能)?帮到(?:您|你)|非常感谢|不用谢|请问|请稍等|稍等|请稍候|我查一下|我看一下|很高兴(?:为您)?服务|祝您(?:生活愉快|愉快)|"
    r"麻烦(?:问一下|了)?|打扰(?:一下|了)?|不好意思|想问一下|咨询一下|问一下|帮帮忙|急|在线等|"
    r"还有(?:什么|其他)?(?:可以帮您|需要帮助|问题)(?:的)?(?:吗)?|有什么可以帮您(?:的)?(?:吗)?|亲|啊|呀|哦|了"
)
# Atomic and possessive: what two phrases could read in two ways ("明白了" and "明白", "了") is read in one, and time is
# linear in the text. Free choice between them would double with every repetition.
_POLITE = re.compile(
    rf"(?>(?<!\w)(?:{_POLITE_EN})(?!\w)|{_POLITE_ZH}|[\s,.!?;:~，。！？；：、…～\-\U0001F300-\U0001FAFF])++",
    re.I,
)
# A run of separators is tried from its beginning only, hence the look-behinds.
_CLOSING = re.compile(
    r"(?<![\s,.!;:~，。！；：～])[\s,.!;:~，。！；：～]++(?:(?:many |so many )?thanks?(?: you)?(?: (?:so|very) much| a lot| in "
    r"advance)?|thx|thnx|tks|ty|cheers|please help(?: me)?|help(?: me)? please|plz|pls|lol)(?!\w)|"
    r"(?<![\s,，])[\s,，]*+(?:谢谢(?:你|您|了|啦)?|多谢(?:了)?|麻烦了)|(?<![\s,，。！!])[\s,，。！!]++(?:急|感谢)",
    re.I,
)
_END = re.compile(r"[\s,.!?~，。！？～]*")
_ASKS_BACK = re.compile(
    r"(?:could|can|would|may|will) (?:you|i)\b|which|what|when|是否|哪|什么|能否|可以提供|请提供|please (?:tell|send|give|share)",
    re.I,
)
_COMPLAINT = re.compile(
    r"(?:did|does|do)(?:n'?t| not) (?:work|help|find|see)|still (?:not|can'?t|doesn'?t|no)|not (?:what i|the question)|"
    r"wrong|that'?s not|incorrect|还是(?:不|没)|没用|不对|不行|不是这个|答非所问|没解决",
    re.I,
)
_MINIMUM = 3
"""Distinct terms that make a turn substantive."""


@dataclass(frozen=True)
class _Exchange:
    question: str
    answer: str
    weight: float
    language: str
    dialogue: str


def mine(dialogues: Sequence[Dialogue], *, least_weight: float = 0.5, keep: Collection[str] = ()) -> list[MinedPair]:
    """The pairs worth keeping, best supported first; personal data is removed before anything is returned.

    An answer may still hold a placeholder of what was removed (`fieldtune.data.scrub.hides`): it answers nobody.

    Args:
        dialogues: finished conversations.
        least_weight: outcome weight below which an exchange is dropped; a conversation the log is silent about
            counts 0.6, a resolved one with five stars 1.
        keep: `fieldtune.data.scrub.contacts` that are not personal: the company's own.
    """
    cleaned = _without_boilerplate(dialogues, keep)
    exchanges = [exchange for dialogue in cleaned for exchange in _exchanges(dialogue)]
    kept = _one_answer_each([exchange for exchange in exchanges if exchange.weight >= least_weight])
    groups: dict[tuple[str, str], list[_Exchange]] = {}
    for exchange in kept:
        groups.setdefault((exchange.language, equality_key(exchange.answer)), []).append(exchange)
    pairs = [_pair(members) for members in groups.values()]
    return sorted(pairs, key=lambda pair: (-pair.support, -pair.weight, pair.language, pair.question))


def _without_boilerplate(dialogues: Sequence[Dialogue], keep: Collection[str]) -> list[Dialogue]:
    """Personal data, greetings and thanks out, then what this log shows to be wrapping, then idle turns.

    Idle is what goes with anything: an agent's turn that follows questions it has nothing to do with, a customer's
    turn that all kinds of answers follow. Taking some away shows others, hence twice.
    """
    plain = [_mapped(_merged(dialogue), lambda turn: _said(turn, keep)) for dialogue in dialogues]
    wraps = {
        role: wrappers([turn.text for dialogue in plain for turn in dialogue.turns if turn.role == role])
        for role in ("customer", "agent")
    }
    plain = [_mapped(dialogue, lambda turn: unwrapped(turn.text, wraps[turn.role])) for dialogue in plain]
    for _ in range(2):
        plain = _without_turns(plain, _idle(plain))
    return plain


def _without_turns(dialogues: Sequence[Dialogue], idle: set[tuple[str, str]]) -> list[Dialogue]:
    """The dialogues without the turns whose (role, key) is idle."""
    return [
        _mapped(dialogue, lambda turn: "" if (turn.role, equality_key(turn.text)) in idle else turn.text)
        for dialogue in dialogues
    ]


def _said(turn: Turn, keep: Collection[str]) -> str:
    """What a turn says, without personal data; empty for one that only gives data ("It is 4012 8888 8888 1881")."""
    scrubbed = scrub(turn.text, keep)
    asks = "?" in turn.text or "？" in turn.text
    few = len(set(lexical_tokens(scrubbed.text))) <= 8
    only_data = turn.role == "customer" and bool(scrubbed.kinds) and few and not asks
    return "" if only_data else substance(scrubbed.text)


def _idle(dialogues: Sequence[Dialogue]) -> set[tuple[str, str]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for dialogue in dialogues:
        for exchange in _exchanges(dialogue):
            before.setdefault(equality_key(exchange.answer), []).append(exchange.question)
            after.setdefault(equality_key(exchange.question), []).append(exchange.answer)
    return {("agent", answer) for answer, questions in before.items() if unrelated(questions, answer)} | {
        ("customer", question) for question, answers in after.items() if unrelated(answers, question)
    }


def _mapped(dialogue: Dialogue, change: Callable[[Turn], str]) -> Dialogue:
    """The dialogue with every turn's text changed; turns left empty are dropped."""
    changed = (replace(turn, text=change(turn)) for turn in dialogue.turns)
    return replace(dialogue, turns=tuple(turn for turn in changed if turn.text.strip()))


def substance(text: str) -> str:
    """`text` without greetings, thanks and "one moment", as sentences or around one: what is left says something, or
    is empty."""
    kept = [text[start:end] for start, end in spans(text) if not _POLITE.fullmatch(text[start:end])]
    joined = " ".join(part.strip() for part in kept) if not _is_chinese(text) else "".join(kept)
    opening = _POLITE.match(joined)
    if opening and 0 < opening.end() < len(joined) and re.search(r"[,，!！.。:：~～]\s*$", joined[: opening.end()]):
        joined = joined[opening.end() :]
    return (joined[: _closing(joined)].strip() or joined).strip()


def _closing(text: str) -> int:
    """Where the thanks that end `text` begin; its length where it does not end in any."""
    start = len(text)
    for match in reversed(list(_CLOSING.finditer(text))):
        if match.end() != start and not (start == len(text) and _END.fullmatch(text, match.end())):
            break
        start = match.start()
    return start


def _exchanges(dialogue: Dialogue) -> Iterable[_Exchange]:
    turns = dialogue.turns
    base = _outcome(dialogue)
    for place, turn in enumerate(turns):
        question = turn.text
        if turn.role != "customer" or not _says_something(question):
            continue
        answer_at = _answer_after(turns, place)
        if answer_at is None:
            continue
        language = dialogue.language or detect(question)
        rejected = _rejected(turns, answer_at, question)
        # After "that did not help" the next answer is the better one, and the first still counts a little.
        second = _answer_after(turns, _next_customer(turns, answer_at)) if rejected else None
        for at, share in ((answer_at, 0.4 if rejected else 1.0), (second, 1.0)):
            if at is not None:
                yield _Exchange(question, turns[at].text, base * share, language, dialogue.id)


def _next_customer(turns: Sequence[Turn], place: int) -> int:
    return next((later for later in range(place + 1, len(turns)) if turns[later].role == "customer"), len(turns))


def _merged(dialogue: Dialogue) -> Dialogue:
    """Consecutive turns of one speaker as one."""
    merged: list[Turn] = []
    for turn in dialogue.turns:
        if merged and merged[-1].role == turn.role:
            merged[-1] = Turn(turn.role, f"{merged[-1].text}\n{turn.text}", merged[-1].time)
        else:
            merged.append(turn)
    return replace(dialogue, turns=tuple(merged))


def _answer_after(turns: Sequence[Turn], place: int) -> int | None:
    """The next agent turn with substance, unless the customer asks something new before it."""
    for later in range(place + 1, len(turns)):
        text = turns[later].text
        if turns[later].role == "customer":
            if _says_something(text):
                return None
        elif _says_something(text) and not _only_asks(text):
            return later
    return None


def _only_asks(text: str) -> bool:
    """An agent's counter-question ("could you tell me your order number?") is no answer."""
    ends = text.rstrip().endswith(("?", "？"))
    return ends and bool(_ASKS_BACK.search(text)) and len(spans(text)) == 1


def _rejected(turns: Sequence[Turn], answer_at: int, question: str) -> bool:
    """Does the customer complain, or ask the same again, right after the answer?"""
    following = next((turn.text for turn in turns[answer_at + 1 :] if turn.role == "customer"), "")
    if _COMPLAINT.search(following):
        return True
    asked, again = set(lexical_tokens(question)), set(lexical_tokens(following))
    return bool(again) and len(asked & again) / len(asked | again) > 0.6


def _outcome(dialogue: Dialogue) -> float:
    resolved = {None: 0.6, True: 0.9, False: 0.2}[dialogue.resolved]
    if dialogue.rating is None:
        return resolved
    return min(1.0, resolved * (0.5 + dialogue.rating / 9.0))


def _says_something(text: str) -> bool:
    return len(set(lexical_tokens(text))) >= _MINIMUM


def _is_chinese(text: str) -> bool:
    return detect(text) == "zh"


def _pair(members: Sequence[_Exchange]) -> MinedPair:
    """One answer with all that was asked; the question is the best-weighted wording, the answer the commonest."""
    wordings: dict[str, tuple[float, str]] = {}
    for member in members:
        key = equality_key(member.question)
        if key not in wordings or member.weight > wordings[key][0]:
            wordings[key] = (member.weight, member.question)
    ordered = [text for _, text in sorted(wordings.values(), key=lambda pair: (-pair[0], pair[1]))]
    answer = Counter(member.answer for member in members).most_common(1)[0][0]
    weight = round(sum(member.weight for member in members) / len(members), 6)
    seen = tuple(sorted({member.dialogue for member in members}))
    return MinedPair(ordered[0], answer, tuple(ordered[1:]), members[0].language, weight, len(seen), seen)


def _one_answer_each(exchanges: Sequence[_Exchange]) -> list[_Exchange]:
    """A wording belongs to one answer: the one that worked best for it, all its conversations together."""
    worth: dict[tuple[str, str], Counter[str]] = {}
    for exchange in exchanges:
        by_answer = worth.setdefault((exchange.language, equality_key(exchange.question)), Counter())
        by_answer[equality_key(exchange.answer)] += exchange.weight  # type: ignore[assignment]
    best = {wording: max(answers, key=lambda a: (answers[a], a)) for wording, answers in worth.items()}
    return [
        exchange
        for exchange in exchanges
        if best[exchange.language, equality_key(exchange.question)] == equality_key(exchange.answer)
    ]
