"""Markdown of strangers to HTML that can be shown: no script, no style, no htmx, no tracking images."""

from __future__ import annotations

import re
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

MAX_CHARS = 100_000
HEADING_SHIFT = 2

# fmt: off
_TAGS = frozenset((
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "strong", "sub", "summary", "sup", "table", "tbody",
    "td", "th", "thead", "tr", "ul",
))
# fmt: on
# An allow-list: hx-*, data-*, on*, style, id, class and name are not on it. An id could shadow a page's own.
_ATTRIBUTES = {"a": {"href", "title"}, "abbr": {"title"}, "ol": {"start"}, "th": {"scope"}}
_SCHEMES = frozenset({"http", "https", "mailto"})
# What nh3 leaves of a heading has no attributes, and every other "<" in its output belongs to a tag or is escaped.
_HEADING = re.compile(r"<(/?)h([1-6])>")


def safe_html(text: str, *, heading_shift: int = HEADING_SHIFT) -> str:
    """HTML of the Markdown `text`, safe to put into a page unescaped (mark it so at the call).

    Headings go down by `heading_shift` levels, to h6 at most, so that the page keeps its outline. Links get
    rel="noopener nofollow noreferrer" and only http, https, mailto or relative targets. Images become links.
    Text past MAX_CHARS is cut.
    """
    html = nh3.clean(
        _renderer().render(text[:MAX_CHARS].replace("\0", "")),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes=set(_SCHEMES),
        clean_content_tags={
            "script",
            "style",
            "iframe",
            "noscript",
            "template",
            "textarea",
            "title",
            "svg",
            "math",
        },
        link_rel="noopener nofollow noreferrer",
        strip_comments=True,
    )
    return _HEADING.sub(lambda found: f"<{found[1]}h{min(6, int(found[2]) + heading_shift)}>", html)


@cache
def _renderer() -> MarkdownIt:
    """CommonMark with tables and strike-through; raw HTML is let through to the cleaner, not to the page."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown.add_render_rule("image", _image_as_link)
    return markdown


def _image_as_link(
    self: RendererHTML, tokens: list[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """An image is a link to itself: loading it would tell its server who reads the page."""
    token = tokens[index]
    label = self.renderInlineAsText(token.children or [], options, env) or "image"
    return f'<a href="{_escaped(str(token.attrs.get("src", "")))}">{_escaped(label)}</a>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
