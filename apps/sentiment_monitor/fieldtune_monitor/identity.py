"""Which article is this? The same article keeps the same identity, however often and from wherever it arrives (pure).

Identity decides *same article*; whether two articles tell the *same story* is for `dedupe`.
"""

import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit

from fieldtune.text.normalise import equality_key

_TRACKING = ("utm_", "spm", "fbclid", "gclid", "mc_cid", "mc_eid", "cmpid", "ocid", "ref_src", "scm")
_PORTS = {"http": 80, "https": 443}


def canonical_url(url: str) -> str:
    """One spelling per page: host lower case without www., no fragment, no tracking parameters, sorted query.

    Returns "" for what names no single page (no host, or a bare home page) or cannot be parsed.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").removeprefix("www.")
    query = sorted((k, v) for k, v in parse_qsl(parts.query) if not k.lower().startswith(_TRACKING))
    path = parts.path.rstrip("/")
    if parts.scheme not in _PORTS or not host or not (path or query):
        return ""
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{place}{path}" + (f"?{urlencode(query)}" if query else "")


def document_identity(url: str, given_id: str, source: str, title: str, day: str) -> str:
    """Hash of the canonical URL, else of source and the source's own id, else of source, title and day.

    `day` is the publication date as ISO text, so that "Markets at noon" of two days are two articles.
    """
    page = canonical_url(url)
    if page:
        return _hash("url", page)
    if given_id:
        return _hash("id", source, given_id)
    return _hash("title", source, equality_key(title), day)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]
