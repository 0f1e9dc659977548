"""The page of one classifier: write a text, see its label, how sure the model is, and which words decided.

A face over :mod:`fieldtune.explain`; it trains nothing and keeps nothing of what is written.
"""

import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from fieldtune.errors import FieldtuneError
from fieldtune.explain.attribution import explain
from fieldtune.explain.display import as_html
from fieldtune.models import Classifier, load
from fieldtune.runtime import generator
from fieldtune.ui.plain import plain
from fieldtune.ui.translate import LANGUAGES, translator

MODEL = "FIELDTUNE_EXPLAIN_MODEL"
SHOWN = 8  # labels of a prediction that are drawn
WORDS = {
    "title": ("Which words decided?", "哪些词起了作用？"),
    "lead": (
        "Write a text: the model labels it, and each word is coloured by what it adds to that label.",
        "输入一段文字：模型给出标签，并按每个词对该标签的贡献着色。",
    ),
    "text": ("Text", "文本"),
    "label": ("Explain the label", "解释标签"),
    "predicted": ("as predicted", "按预测结果"),
    "is": ("**{label}**, probability {share:.0%}", "**{label}**，概率 {share:.0%}"),
    "outside": ("below the model's threshold: it may belong to no label", "低于模型阈值：可能不属于任何标签"),
    "adds_up": ("the weights add up to the score, but for {error:.2%}", "各权重之和与得分相差 {error:.2%}"),
    "deletion": (
        "without its heaviest words the score falls to {order:.2f} on average, without random ones to {chance:.2f}",
        "依次去掉最重要的词，平均得分为 {order:.2f}；随机去词为 {chance:.2f}",
    ),
    "cut": ("{count} words beyond what the model reads", "{count} 个词超出模型可读长度"),
    "name": ("label", "标签"),
    "probability": ("probability", "概率"),
    "word": ("word", "词"),
    "weight": ("weight", "权重"),
    "empty": ("Write a text to begin.", "请输入文本。"),
}
Translate = Callable[[str], str]


@st.cache_resource(show_spinner=False)
def model_of(folder: str) -> Any:
    """The model, loaded once per process."""
    return load(folder)


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="fieldtune explain", page_icon="🔎", layout="wide")
    head, side = st.columns([3, 1])
    language = side.radio(
        "Language / 语言", list(LANGUAGES), format_func=LANGUAGES.get, horizontal=True, label_visibility="collapsed"
    )
    t = translator(language, WORDS)
    head.title(t("title"))
    head.caption(t("lead"))
    try:
        model: Classifier = model_of(os.environ.get(MODEL, "model"))
        _explained(model, language, t)
    except FieldtuneError as error:
        st.error(str(error))


def _explained(model: Classifier, language: str, t: Translate) -> None:
    left, right = st.columns([3, 1])
    text = left.text_area(t("text"), key="text", height=120)
    chosen = right.selectbox(t("label"), [t("predicted"), *model.labels], key="label")
    if not text.strip():
        st.info(t("empty"))
        return
    signs = model.signs([text])
    chances, (kept, _) = model.chances(signs.logits)[0], model.scope_of(signs)
    best = int(chances.argmax())
    st.markdown(t("is").format(label=plain(model.labels[best]), share=chances[best]))
    if not kept[0]:
        st.caption(t("outside"))
    label = None if chosen == t("predicted") else chosen
    found = explain(model, text, rng=generator(0), label=label)
    st.html(as_html(found, language))
    told = [] if found.completeness_error is None else [t("adds_up").format(error=found.completeness_error)]
    told.append(t("deletion").format(order=found.deletion, chance=found.deletion_random))
    told += [t("cut").format(count=found.cut)] if found.cut else []
    st.caption(" · ".join(told))
    columns = st.columns(2, gap="large")
    order = chances.argsort()[::-1][:SHOWN]
    table = pd.DataFrame({t("name"): [model.labels[place] for place in order], t("probability"): chances[order]})
    bar = st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="percent")
    columns[0].dataframe(table, hide_index=True, width="stretch", column_config={t("probability"): bar})
    weights = pd.DataFrame({t("word"): found.words, t("weight"): [round(weight, 3) for weight in found.weights]})
    columns[1].dataframe(weights, hide_index=True, width="stretch")


main()
