"""Every wording of the page in English and Chinese, and the Chinese frame of what is told of a source."""

import re

from fieldtune_monitor.windows import TIMES

WORDS = {
    "title": ("Opinion monitor", "舆情监测"),
    "lead": (
        "Topic and tone of every story, the usual level of bad news per topic, and an alert when it surges.",
        "识别每条新闻的主题与情感，掌握各主题负面消息的常态水平，异常激增时告警。",
    ),
    "user": ("Your name (kept with what you say)", "您的名字（随反馈保存）"),
    "documents": ("Articles", "文章"),
    "stories": ("Distinct stories", "独立报道"),
    "copies": ("Copies", "转载"),
    "open_alerts": ("Open alerts", "进行中的告警"),
    "learning": ("Topics learning", "学习中的主题"),
    "alerts": ("Alerts", "告警"),
    "no_alerts": ("No alerts so far.", "暂无告警。"),
    "show_info": ("Also surges of volume in the usual tone", "同时显示语气正常的报道量激增"),
    "trend": ("Trend", "趋势"),
    "topic": ("Topic", "主题"),
    "days": ("Days shown", "显示天数"),
    "negatives": ("negative stories", "负面报道"),
    "usual": ("usual (90 %)", "常态区间（90%）"),
    "expected": ("expected", "预期"),
    "time": ("time", "时间"),
    "low": ("usual from", "常态下限"),
    "high": ("usual to", "常态上限"),
    "not_over": ("not over yet", "尚未结束"),
    "published": ("published", "发布时间"),
    "p_negative": ("probability of negative", "负面概率"),
    "latest": ("Newest stories", "最新报道"),
    "headline": ("headline", "标题"),
    "tone": ("Tone", "语气"),
    "negative": ("negative", "负面"),
    "neutral": ("neutral", "中性"),
    "positive": ("positive", "正面"),
    "": ("unknown", "未知"),
    "firing": ("firing", "告警中"),
    "recovering": ("recovering", "恢复中"),
    "resolved": ("resolved", "已解除"),
    "count": ("more bad news", "负面数量激增"),
    "volume-driven": ("more news in the usual tone", "报道量激增，语气正常"),
    "confirm": ("Confirm", "确认"),
    "dismiss": ("Dismiss", "忽略"),
    "confirmed": ("Confirmed.", "已确认。"),
    "dismissed": ("Dismissed.", "已忽略。"),
    "confirmed_by": ("Confirmed by {user}.", "{user} 已确认。"),
    "dismissed_by": ("Dismissed by {user}.", "{user} 已忽略。"),
    "correct": ("Is the tone right?", "语气正确吗？"),
    "corrected": ("noted", "已记录"),
    "unchanged": ("yes, as shown", "正确"),
    "sources": ("Sources", "来源"),
    "source": ("source", "来源"),
    "rows": ("rows", "行数"),
    "broken": ("unusable", "无法使用"),
    "problem": ("last problem", "最近的问题"),
    "looked": ("last looked at", "最近读取时间"),
    "empty": (
        "The store is empty: start `fieldtune monitor run`, or a replay with --store.",
        "暂无数据：请先运行 monitor run，或 replay --store。",
    ),
    "against": (
        "{observed} negative stories in {hours} h; usual are {low} to {high} (expected {expected:.1f})",
        "{hours} 小时内 {observed} 条负面报道；常态为 {low} 至 {high} 条（预期 {expected:.1f}）",
    ),
    "chance": (
        "by chance, over all topics, about once in {weeks} weeks · sources: {sources} · copies: {copies}",
        "所有主题合计，纯属偶然时约 {weeks} 周才出现一次 · {sources} 个来源 · {copies} 次转载",
    ),
    "tone_signal": ("a darker tone", "语气转负"),
}

# What is told of a source is stored in English. Frames in Chinese; what they hold stays as the file has it.
_FRAMES = (
    (r"(.*) line (\d+): (.*)", "{0} 第 {1} 行：{2}"),
    (r"expected (.*); found (.*); fix: (.*)", "应为：{0}；实为：{1}；修正：{2}"),
    (r"expected (.*); found (.*)", "应为：{0}；实为：{1}"),
    (re.escape(TIMES), "1990 至 2099 年的时间（ISO 8601、RFC 2822，或 1970 年以来的秒或毫秒）"),
    (r"(\d+) cells under (\d+) columns", "{0} 个单元格，而表头有 {1} 列"),
    (r"dated in the future: (.*) in (.*)", "日期在未来：{1} 为 {0}"),
    (r"('.*') in '(.*)'", "{1} 列中的 {0}"),
    (r"a web page instead of a title", "标题处是网页"),
    (r"no title", "没有标题"),
    (r"no time", "没有时间"),
    (r"not UTF-8", "不是 UTF-8 编码"),
    (r"nothing at (.*)", "{0} 处没有文件"),
)


def problem(text: str, language: str) -> str:
    """What is told of a source, in the language of the page as far as there are frames for it."""
    if language != "zh":
        return text
    for pattern, frame in _FRAMES:
        if found := re.fullmatch(pattern, text):
            return frame.format(*(problem(part, language) for part in found.groups()))
    return text
