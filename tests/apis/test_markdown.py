"""T13, T14: Markdown of strangers becomes HTML without script, style, htmx or tracking."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.markdown import MAX_CHARS, safe_html

ALLOWED_ATTRIBUTES = {"href", "title", "rel", "start", "scope"}


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Nothing to make fresh."""


class Elements(HTMLParser):
    """The elements of some HTML with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_markdown_is_rendered() -> None:
    html = safe_html("# Title\n\nSome *words* and `code`, ~~gone~~.\n\n- a\n- b\n\n|x|y|\n|-|-|\n|1|2|\n")
    for part in (
        "<h3>Title</h3>",
        "<em>words</em>",
        "<code>code</code>",
        "<s>gone</s>",
        "<li>a</li>",
        "<td>2</td>",
    ):
        assert part in html


def test_headings_go_below_those_of_the_page() -> None:
    assert safe_html("## a\n\n###### b\n\n<h1 id=x>c</h1>") == "<h4>a</h4>\n<h6>b</h6>\n<h3>c</h3>"
    assert safe_html("# a", heading_shift=0) == "<h1>a</h1>\n"


def test_links_give_nothing_away() -> None:
    (link,) = Elements(safe_html("[a](https://example.com/x?y=1)")).found[1:]
    assert link == ("a", {"href": "https://example.com/x?y=1", "rel": "noopener nofollow noreferrer"})


def test_images_become_links_so_that_reading_calls_nobody() -> None:
    html = safe_html('![a "pixel"](http://tracker.example/p.png) <img src="http://tracker.example/q.png">')
    assert [tag for tag, _ in Elements(html).found] == ["p", "a"]
    assert "q.png" not in html


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "<a href='java&#x0a;script:alert(1)'>x</a>",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    "<a href=x onclick=alert(1) style='position:fixed'>x</a>",
    "<div hx-get='/admin/approve' hx-trigger='load'>x</div>",
    "<div data-hx-get='/admin/approve' data-hx-trigger='load'>x</div>",
    "<p hx-on:click='alert(1)' HX-POST='/x' _='on load'>x</p>",
    "<a href='/logout' hx-delete='/x' data-confirm='no' x-data='{}' @click='y'>x</a>",
    "<form action='/x' method=post><button>x</button><input name=csrf></form>",
    "<iframe src='https://example.com'></iframe><object data=x></object><embed src=x>",
    "<style>*{display:none}</style><link rel=stylesheet href=x><meta http-equiv=refresh content='0;url=x'>",
    "<base href='https://evil.example/'>",
    "<b id='main' class='btn' name='csrfmiddlewaretoken'>x</b>",
    "<template><script>alert(1)</script></template><noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "```\n</code><script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    '[x](https://e.example "\\" onmouseover=alert(1) x=\\"")',
    "![x](x\" onerror=\"alert(1))",
    "![<script>alert(1)</script>](javascript:alert(1))",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "{{7*7}} {% debug %} <p>{{ csrf_token }}</p>",
]  # fmt: skip


def assert_harmless(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert re.fullmatch(r"[a-z][a-z0-9]*", tag)
        assert tag not in {
            "script",
            "style",
            "img",
            "iframe",
            "form",
            "input",
            "svg",
            "math",
            "object",
            "base",
            "meta",
        }
        assert set(attributes) <= ALLOWED_ATTRIBUTES
        target = (attributes.get("href") or "").lower()
        assert not re.match(r"[\s\x00-\x1f]*[a-z0-9+.-]+\s*:", target) or re.match(
            r"(https?|mailto):", target
        )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_harmless(text: str) -> None:
    assert_harmless(safe_html(text))
    assert_harmless(safe_html(f"- > **{text}**\n\n| {text} |\n|-|\n| {text} |\n"))


PIECES = st.sampled_from(
    [*"<>\"'=&;:/!-`[](){}*_# \n\t\\|", "a", "href", "onerror=", "script", "style", "hx-get=", "svg"]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_combination_is_harmful(text: str) -> None:
    assert_harmless(safe_html(text))


@pytest.mark.parametrize(
    "piece", ["[", "![", "*a ", "> ", "`", "<a ", "- ", "|", "[a](", "&#x", "\\", "***", "<!--"]
)
def test_long_repetitions_end(piece: str) -> None:
    started = time.process_time()
    safe_html(piece * (30_000 // len(piece)))
    assert time.process_time() - started < 10


def test_text_past_the_limit_is_cut() -> None:
    assert len(safe_html("a" * (MAX_CHARS + 500))) <= MAX_CHARS + 20
