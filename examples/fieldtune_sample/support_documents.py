"""Help articles as files: Markdown, some as HTML, tables as CSV.

`render` turns a topic into (relative path, text); the path is the document's id. Knows nothing of questions.
"""

import csv
import html
import io
import re

from fieldtune_sample.support_pool import Topic

_ITEM = re.compile(r"(?:[-*]|\d+\.)\s+(.*)")
_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><title>{title} | Tidewater</title><style>nav {{ color: #567; }}</style></head>
<body>
<nav>Tidewater / Help</nav>
<main>
{content}
</main>
<footer>&copy; Tidewater</footer>
</body>
</html>
"""


def path_of(topic: Topic, position: int, html_every: int) -> str:
    """The document id of the topic at `position` in its language: every `html_every`-th is HTML (0: none)."""
    turn = html_every > 0 and position % html_every == html_every - 1
    form = topic.form or ("html" if turn else "md")
    return f"{topic.language}/{topic.id}.{form}"


def render(topic: Topic, path: str) -> str:
    """The file's text in the form that the ending of `path` names."""
    match path.rsplit(".", 1)[1]:
        case "html":
            return _html(topic)
        case "csv":
            return _csv(topic)
        case _:
            return f"# {topic.title}\n\n{topic.body}\n"


def _html(topic: Topic) -> str:
    """Headings, paragraphs, lists and bold: all the Markdown that the articles use."""
    lines, open_list = [f"<h1>{html.escape(topic.title)}</h1>"], ""
    for line in filter(None, (line.strip() for line in topic.body.splitlines())):
        item = _ITEM.fullmatch(line)
        wanted = "" if item is None else "ol" if line[0].isdigit() else "ul"
        if wanted != open_list:
            lines += [f"</{open_list}>"] * bool(open_list) + [f"<{wanted}>"] * bool(wanted)
            open_list = wanted
        if item is not None:
            lines.append(f"<li>{_inline(item.group(1))}</li>")
        elif line.startswith("## "):
            lines.append(f"<h2>{_inline(line[3:])}</h2>")
        else:
            lines.append(f"<p>{_inline(line)}</p>")
    lines += [f"</{open_list}>"] * bool(open_list)
    return _PAGE.format(language=topic.language, title=html.escape(topic.title), content="\n".join(lines))


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text))


def _csv(topic: Topic) -> str:
    """One row per paragraph: topic, section, details."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(("topic", "section", "details"))
    section = ""
    for line in filter(None, (line.strip() for line in topic.body.splitlines())):
        if line.startswith("## "):
            section = line[3:]
        else:
            table.writerow((topic.title, section, line.replace("**", "")))
    return buffer.getvalue()
