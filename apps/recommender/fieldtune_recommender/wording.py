"""The words of page and command, English and Chinese: reasons as sentences in either, and chances. Pure."""

from collections.abc import Callable, Mapping

from fieldtune_recommender.records import Reason

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Recommendations", "推荐"),
    "lead": (
        "Edit the history on the left; the list and its reasons follow at once.",
        "在左侧修改浏览记录，右侧的推荐和理由会随之变化。",
    ),
    "language": ("Language", "语言"),
    "user": ("Visitor", "访客"),
    "stranger": ("a new visitor", "新访客"),
    "history": ("Liked, oldest first", "喜欢过的商品（从早到晚）"),
    "interest": ("Looking for (a sentence)", "想找什么（一句话）"),
    "interest_hint": ("e.g. warm, for a night in a tent", "例如：露营过夜用的保暖用品"),
    "diversity": ("Diversity", "多样性"),
    "diversity_help": (
        "0 keeps the plain order; further right fewer of a kind.",
        "0 为原始顺序；越往右，同类商品越少。",
    ),
    "count": ("How many", "数量"),
    "list": ("The list", "推荐列表"),
    "chance": ("chance", "概率"),
    "buy": ("Buy", "购买"),
    "refuse": ("Not interested", "不感兴趣"),
    "thanks_purchase": ("Bought: noted, and the list has changed.", "已购买：已记录，列表已更新。"),
    "thanks_not_interested": ("Noted: fewer like this.", "已记录：会减少类似商品。"),
    "version": ("Version", "版本"),
    "method": ("Method", "方法"),
    "unheard": (
        "No item shares a word with this sentence or comes near it in meaning, so the list is the usual one.",
        "没有商品与这句话有共同的词或相近的意思，因此列表与平时相同。",
    ),
    "empty": ("Nothing left to show.", "没有可以推荐的商品了。"),
    "similar": ("Reads like {items}", "内容与{items}相近"),
    "shared": (" (shared words: {words})", "（共同的词：{words}）"),
    "together": ("Liked by people who liked {items}", "喜欢{items}的人也喜欢它"),
    "meaning": ("Close in meaning to what you asked for", "与您想找的内容意思相近"),
    "other": ("No single reason stands out", "没有特别突出的理由"),
    "popular": ("Popular at the moment", "近期热门"),
    "new": ("New in the catalogue", "新上架"),
    "you_asked": ("You asked for: {words}", "符合您的要求：{words}"),
    "recent_popularity": ("recent popularity", "近期热度"),
    "without_text": ("behaviour without texts", "仅行为，不含文本"),
    "frozen_text": ("behaviour and texts", "行为与文本"),
    "tuned_text": ("behaviour and texts, tuned on this shop", "行为与文本（已按本店数据微调）"),
}


def sentence(reason: Reason, t: Callable[[str], str], title: Callable[[str], str], chinese: bool) -> str:
    """One reason in the page's language.

    Args:
        t: key -> wording. title: item identifier -> what a person is shown.
    """
    comma = "、" if chinese else ", "
    items = comma.join(f"“{title(item)}”" for item in reason.items)
    match reason.kind:
        case "similar":
            words = t("shared").format(words=comma.join(reason.words)) if reason.words else ""
            return t("similar").format(items=items) + words
        case "together":
            return t("together").format(items=items)
        case "interest":
            return t("you_asked").format(words=comma.join(reason.words))
        case _:
            return t(reason.kind)


def english(reason: Reason, title: Callable[[str], str]) -> str:
    """One reason in English, for what has no language to choose."""
    return sentence(reason, lambda key: WORDS[key][0], title, chinese=False)


def chance(probability: float) -> str:
    """A probability for a person: whole per cents, and no nought for what is only rare."""
    return f"{probability:.0%}" if probability >= 0.01 else "<1%"
