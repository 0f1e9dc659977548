"""What the page says, in English and Chinese."""

WORDS = {
    "title": ("Customer support", "客户服务"),
    "lead": (
        "An automated assistant. Answers come word for word from approved answers and help articles, with sources.",
        "自动助手。回答逐字取自审核过的答案和帮助文章，并注明出处。",
    ),
    "language": ("Language", "语言"),
    "input": ("Ask a question", "请输入您的问题"),
    "sources": ("Source", "出处"),
    "changed": (
        "The source has changed since this answer, or is gone. This is what it said then:",
        "此回答之后，出处已被修改或删除。以下是当时的原文：",
    ),
    "not_kept": ("The store does not keep the cited text.", "数据库中没有所引用的原文。"),
    "confidence": ("Confidence", "置信度"),
    "answer": ("answered", "已回答"),
    "ask_back": ("asks back", "反问确认"),
    "hand_off": ("hand over to a person", "转人工"),
    "why_answer": ("One source fits the question well enough.", "有一个出处与问题足够吻合。"),
    "why_ask_back": ("Several sources fit the question alike.", "有几个出处与问题同样吻合。"),
    "why_hand_off": ("No source covers the question well enough.", "没有出处足以回答这个问题。"),
    "up": (":material/thumb_up: Right", ":material/thumb_up: 正确"),
    "down": (":material/thumb_down: Wrong", ":material/thumb_down: 不对"),
    "thanks": ("Thank you, noted.", "谢谢，已记录。"),
    "correct": ("Correct this answer", "更正这个回答"),
    "right_source": ("The right source", "正确的出处"),
    "none": ("(none of these)", "（都不是）"),
    "right_answer": ("The right answer", "正确的回答"),
    "approval": (
        "An answer that you write is shown to others only after somebody has approved it.",
        "您写下的回答须经审核通过后才会展示给其他人。",
    ),
    "save": ("Save correction", "保存更正"),
    "need_one": ("Choose a source or write an answer.", "请选择出处或写下回答。"),
    "history": ("Conversation", "对话"),
    "session": ("Session", "会话"),
    "new": ("New conversation", "新对话"),
    "version": ("Version", "版本"),
    "learns": (
        "Right sources train the next version, and written answers go to a table for approval: "
        "`fieldtune feedback retrain chatbot`",
        "更正的出处用于训练下一个版本，写下的回答进入待审核表：`fieldtune feedback retrain chatbot`",
    ),
    "empty_history": ("Nothing asked yet.", "还没有提问。"),
}
