"""A small support world of our own: articles, FAQ, conversations and known questions in two languages."""

import csv
import json
from pathlib import Path

TOPICS = {
    "refund": ("退款", "Refunds", ["money back", "refund", "return the payment"], ["退款", "退钱", "钱退回"]),
    "password": ("密码", "Passwords", ["password", "log in code", "sign-in secret"], ["密码", "登录密码", "口令"]),
    "delivery": ("配送", "Delivery", ["parcel", "delivery", "courier"], ["快递", "配送", "包裹"]),
    "invoice": ("发票", "Invoices", ["invoice", "bill", "receipt"], ["发票", "账单", "收据"]),
    "warranty": ("保修", "Warranty", ["warranty", "repair", "broken device"], ["保修", "维修", "坏了"]),
    "address": ("地址", "Addresses", ["address", "moving house", "street name"], ["地址", "搬家", "门牌"]),
}
ASKS_EN = [
    "how long does the {} take",
    "where do I see my {}",
    "I have a problem with the {}",
    "help me with {} please",
]
ASKS_ZH = ["{}要多久", "在哪里看{}", "我的{}有问题", "请帮我处理{}"]
OUTSIDE_EN = ["do you sell pizza", "what is the weather on mars", "who won the football match", "sing me a song",
              "can I book a hotel", "is the museum open on monday"]  # fmt: skip
OUTSIDE_ZH = ["今天天气怎么样", "你会唱歌吗", "附近有什么好吃的", "电影几点开始", "怎么去火车站", "股票会涨吗"]


def article_en(name: str) -> str:
    title, words = TOPICS[name][1], TOPICS[name][2]
    return (
        f"# {title}\n\n## How it works\n\nThe {words[0]} is handled within five days. Open the app and choose "
        f"{title}. You will see every {words[1]} there.\n\n## Problems\n\nIf the {words[2]} is late, write to us with "
        f"code {name.upper()}-40. We answer on the same day.\n"
    )


def article_zh(name: str) -> str:
    title, words = TOPICS[name][0], TOPICS[name][3]
    return (
        f"# {title}\n\n## 说明\n\n{words[0]}会在五天内处理完毕。请打开应用，选择“{title}”。在那里可以看到全部{words[1]}。\n\n"
        f"## 出现问题\n\n如果{words[2]}一直没有进展，请把代码 {name.upper()}-40 发给我们。当天回复。\n"
    )


def faq_rows() -> list[dict[str, str]]:
    rows = []
    for name, (title_zh, title_en, words_en, words_zh) in TOPICS.items():
        rows.append({
            "question": f"How long does the {words_en[0]} take?",
            "answer": f"The {words_en[0]} is handled within five days.",
            "intent": name, "similar": f"When is my {words_en[1]} done?|{title_en} duration",
            "language": "en", "document": f"en/{name}.md",
        })  # fmt: skip
        rows.append({
            "question": f"{words_zh[0]}需要多长时间？", "answer": f"{words_zh[0]}会在五天内处理完毕。",
            "intent": name, "similar": f"{title_zh}多久能好", "language": "zh", "document": f"zh/{name}.md",
        })  # fmt: skip
    return rows


def question_rows(variant: int = 0) -> list[dict[str, str]]:
    """Known questions (variant 0) or others about the same (variant 1), and some without an answer."""
    rows = []
    for name, (_, _, words_en, words_zh) in TOPICS.items():
        for language, asks, words in (("en", ASKS_EN, words_en), ("zh", ASKS_ZH, words_zh)):
            for ask in asks:
                for place, word in enumerate(words):
                    if place % 2 == variant or variant == 0:
                        rows.append({
                            "question": ask.format(word), "document": f"{language}/{name}.md", "answer": "",
                            "answerable": "1", "intent": name, "language": language,
                        })  # fmt: skip
    for language, texts in (("en", OUTSIDE_EN), ("zh", OUTSIDE_ZH)):
        for text in texts[variant * 3 : variant * 3 + 3] if variant else texts:
            rows.append({"question": text, "document": "", "answer": "", "answerable": "0", "intent": "",
                         "language": language})  # fmt: skip
    return rows


def dialogue(number: int, turns: list[tuple[str, str]], **extra: object) -> dict[str, object]:
    return {"id": f"d{number}", "turns": [{"role": role, "text": text} for role, text in turns], **extra}


def dialogues() -> list[dict[str, object]]:
    result = []
    for number, name in enumerate(TOPICS):
        words = TOPICS[name][2]
        answer = f"The {words[0]} is handled within five days."
        result.append(dialogue(
            number,
            [("customer", "Hello!"), ("agent", "Hi there, how can I help you?"),
             ("customer", f"my {words[1]} is not here yet, mail me at jo{number}@example.com"),
             ("agent", "One moment."), ("agent", answer), ("customer", "thanks a lot, bye"),
             ("agent", "You're welcome, have a nice day!")],
            resolved=True, rating=5, language="en",
        ))  # fmt: skip
    return result


def write_world(folder: Path) -> Path:
    """documents/, faq.csv, dialogues.jsonl, known.csv and test.csv under `folder`."""
    for language, article in (("en", article_en), ("zh", article_zh)):
        (folder / "documents" / language).mkdir(parents=True)
        for name in TOPICS:
            (folder / "documents" / language / f"{name}.md").write_text(article(name), encoding="utf-8")
    for name, rows in (("faq", faq_rows()), ("known", question_rows()), ("test", question_rows(1))):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    lines = [json.dumps(row, ensure_ascii=False) for row in dialogues()]
    (folder / "dialogues.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
