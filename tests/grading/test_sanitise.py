"""What students write and display, as HTML: nothing runs, nothing reaches out, nothing disturbs the page."""

import base64
import random
from html.parser import HTMLParser
from urllib.parse import urlsplit
from xml.etree import ElementTree

import bleach
import pytest
from bs4 import BeautifulSoup

from llmlab.grading import sanitise

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<img/src='x'/onerror='alert(1)'>",
    f"<img src='data:image/svg+xml;base64,{PIXEL}'>",
    f"<img src='data:image/gif;base64,{PIXEL}'>",
    "<img src='data:image/png;base64,&#34;onerror=alert(1)'>",
    "<img src=https://evil.example/track.png>",
    "<img srcset='https://evil.example/track.png 1x'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='  java\tscript:alert(1)'>x</a>",
    "<a href='&#106;avascript&colon;alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='//evil.example'>x</a>",
    "<a href='\\\\evil.example'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href=x target=_blank onclick=alert(1) style='position:fixed;inset:0'>x</a>",
    "<a href='https://a.example' rel='opener'>x</a>",
    "<iframe src='https://evil.example'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<meta http-equiv=Content-Security-Policy content=\"script-src 'unsafe-inline'\">",
    "<base href='https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>@import 'https://evil.example/x.css'; body{display:none}</style>",
    "<style><img src=x onerror=alert(1)></style>",
    "<div style='background:url(https://evil.example)'>x</div>",
    "<div class='llmlab-verdict llmlab-full' id='decoding-top_p'>10 / 10</div>",
    "<svg/onload=alert(1)><animate onbegin=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<math href='javascript:alert(1)'>x</math>",
    "<form action='https://evil.example'><input name=x><button>go</button></form>",
    "<object data='https://evil.example'></object><embed src='https://evil.example'>",
    "<video src=x onerror=alert(1)></video><audio src=x></audio>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea></textarea><script>alert(1)</script>",
    "<title></title><script>alert(1)</script>",
    "<xmp><script>alert(1)</script></xmp><plaintext>",
    "<!--><script>alert(1)</script>-->",
    "<!-- --!><script>alert(1)</script> -->",
    "<!--[if IE]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "</main></body></html><script>alert(1)</script>",
    "</div></section></td></table></pre>",
    "<b title='\"><script>alert(1)</script>'>x</b>",
    "<p title=`><script>alert(1)</script>`>",
    "<b\n\n\x0conclick=alert(1)>x</b>",
    "<details open ontoggle=alert(1)>x</details>",
    "<body onload=alert(1)>",
    "<td colspan=1000000000 rowspan=99999>x</td>",
]
FORMULA = {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msub"}
"""What the formulas of these tests are made of."""


def fine(address):
    """A link to the web by name, a mail address, or a place below the page."""
    parts = urlsplit(address)
    return parts.scheme in ("http", "https", "mailto") or (
        not parts.scheme and not parts.netloc and address[:1] not in "/\\"
    )


class Listener(HTMLParser):
    """Counts what opens and closes."""

    def __init__(self, html):
        super().__init__()
        self.stack, self.wrong = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in sanitise.ALONE:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)


def harmless(html):
    """Judged by two other parsers: BeautifulSoup's and that of bleach (html5lib), which must find nothing to
    do.
    """
    heard = Listener(html)
    assert not heard.stack and not heard.wrong, "every tag is closed, and none that was not opened"
    for tag in BeautifulSoup(html, "html.parser").find_all(True):
        assert tag.name in sanitise.TAGS, tag.name
        for name, value in tag.attrs.items():
            value = " ".join(value) if isinstance(value, list) else value
            assert name in (*sanitise.ATTRIBUTES.get(tag.name, ()), "rel"), name
            assert name != "href" or fine(value), value
            assert name != "href" or "noopener" in tag["rel"]
            assert name != "src" or value.startswith(
                tuple(f"data:{kind};base64," for kind in sanitise.IMAGES)
            ), value
            assert name != "class" or "llmlab" not in value
            assert name not in ("colspan", "rowspan") or int(value) < 100
    allowed = {tag: [*names, "rel"] for tag, names in sanitise.ATTRIBUTES.items()}
    again = bleach.clean(
        html, tags=sanitise.TAGS, attributes=allowed, protocols=["http", "https", "mailto", "data"]
    )
    before, after = BeautifulSoup(html, "html.parser"), BeautifulSoup(again, "html.parser")
    assert before.get_text() == after.get_text(), "nothing that html5lib reads as a tag was text here"


@pytest.mark.parametrize("bad", HOSTILE)
def test_nothing_runs_and_nothing_reaches_out(bad):
    for text in (
        bad,
        f"before {bad} after",
        f"<b>{bad}</b>",
        f"<table><tr><td>{bad}</td></tr></table>",
        bad * 3,
    ):
        harmless(sanitise.clean(text))


@pytest.mark.parametrize("bad", HOSTILE)
def test_markdown_is_as_harmless(bad):
    for text in (
        bad,
        f"# t\n\n{bad}\n\nfine",
        f"- a\n- {bad}",
        f"```\n{bad}\n```",
        f"`{bad}`",
        f"$x$ {bad} $$y$$",
        f"[a]({bad})",
        f"![a]({bad})",
    ):
        page = sanitise.markdown2html({}, text)
        for tag in BeautifulSoup(page, "html.parser").find_all(True):
            assert tag.name in FORMULA | sanitise.TAGS and not [
                name for name in tag.attrs if name.startswith("on") or name == "style"
            ]
            assert tag.name != "a" or "href" not in tag.attrs or fine(tag["href"]), tag
            assert tag.name != "img" or tag.get("src", "data:image/").startswith("data:image/"), tag


def test_soup_of_fragments_is_harmless():
    """500 random mixtures, the same ones every time."""
    rng = random.Random(3)
    pieces = HOSTILE + [
        "<",
        ">",
        "&",
        "&lt;",
        "&#60;",
        '"',
        "'",
        "</",
        "<b",
        "<i>",
        "</i>",
        "<td>",
        "</table>",
        "<p ",
        "=",
        "`",
        "<!--",
        "-->",
        "]]>",
        "\0",
        "x",
        " ",
    ]
    for _ in range(500):
        soup = "".join(rng.choice(pieces)[: rng.randint(1, 40)] for _ in range(rng.randint(1, 12)))
        heard = Listener(clean := sanitise.clean(soup))
        assert not heard.stack and not heard.wrong, soup
        for tag in BeautifulSoup(clean, "html.parser").find_all(True):
            assert tag.name in sanitise.TAGS and set(tag.attrs) <= {
                *sanitise.ATTRIBUTES.get(tag.name, ()),
                "rel",
            }, soup


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a < b and c > d & e", "a &lt; b and c &gt; d &amp; e"),
        ("List<int> and vector<vector<T>>", "List&lt;int&gt; and vector&lt;vector&lt;T&gt;&gt;"),
        ("<b>bold</b> <em>it</em><br>", "<b>bold</b> <em>it</em><br>"),
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        (
            "<table><thead><tr><th align='right'>a</th></tr></thead></table>",
            '<table><thead><tr><th align="right">a</th></tr></thead></table>',
        ),
        ("<td colspan='2'>x", '<td colspan="2">x</td>'),
        (
            "<a href='https://a.example/x?a=1&amp;b=2'>x</a>",
            '<a href="https://a.example/x?a=1&amp;b=2" rel="noopener noreferrer nofollow">x</a>',
        ),
        (
            "<a href='part1/beam.html#sec'>x</a>",
            '<a href="part1/beam.html#sec" rel="noopener noreferrer nofollow">x</a>',
        ),
        (
            f"<img alt='a' src='data:image/png;base64,{PIXEL}'>",
            f'<img alt="a" src="data:image/png;base64,{PIXEL}">',
        ),
        ("<style scoped>td {color: red}</style><p>x</p>", "<p>x</p>"),
        ("<!-- note -->x", "x"),
        ("&lt;script&gt; &amp;amp; &eacute;", "&lt;script&gt; &amp;amp; é"),
    ],
)
def test_what_is_fine_stays(given, kept):
    assert sanitise.clean(given) == kept
    assert BeautifulSoup(sanitise.clean(kept), "html.parser") == BeautifulSoup(kept, "html.parser")


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<!--",
        "<a ",
        "<a/",
        '<a x="',
        "<b>",
        "</",
        "</a ",
        "<style>",
        "<?",
        "&",
        "&#",
        "<![CDATA[",
        "<font color={n}><p>",
        "<b><p></b>",
    ],
)
def test_output_grows_no_faster_than_input(piece):
    """A parser that builds the tree as browsers do reopens every formatting element in every paragraph."""
    text = "".join(piece.replace("{n}", str(n)) for n in range(10_000))
    assert len(sanitise.clean(text)) <= 6 * len(text) + 2_000


def test_a_very_long_cell_is_shown_as_text():
    page = sanitise.markdown2html({}, "# <b>\n" + "x" * sanitise.LONGEST)
    assert page.startswith("<pre># &lt;b&gt;") and page.endswith("x</pre>")


@pytest.mark.parametrize(
    "command",
    [
        "href",
        "url",
        "require",
        "style",
        "class",
        "def",
        "let",
        "newcommand",
        "unicode",
        "mmlToken",
        "htmlData",
    ],
)
@pytest.mark.parametrize("slash", ["\\", "&#92;", "&#x5c;", "&bsol;"])
def test_no_tex_command_links_or_loads(command, slash):
    """formgrader typesets with MathJax, whose \\href takes javascript:."""
    shown = BeautifulSoup(
        sanitise.clean(f"<p>${slash}{command}{{javascript:alert(1)}}{{x}}$</p>"), "html.parser"
    ).get_text()
    assert f"\\{command}" not in shown and command in shown
    assert sanitise.tex(r"$\frac{1}{2} \alpha \hbar \lambda$") == r"$\frac{1}{2} \alpha \hbar \lambda$"


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("T = 1.5", "T=1.5"),
        (r"H = -\sum_i p_i \log p_i", "H=−∑ipilogpi"),
        (r"\frac{\exp(z_i/T)}{\sum_{j=1}^{V} \exp(z_j/T)}", "exp(zi/T)∑j=1Vexp(zj/T)"),
        (r"\theta > 1", "θ>1"),
        (r"\log_2 x", "log2x"),
        (r"\text{if } x < y", "if x<y"),
        (r"a_{i_j}^2 \cdot \hat{p}", "aij2⋅p^"),
    ],
)
def test_short_formulas_are_mathml(formula, says):
    """Read by an XML parser; every element has as many children as MathML asks for."""
    page = sanitise.markdown2html({}, f"before ${formula}$ after")
    made = page[page.index("<math") : page.index("</math>") + 7]
    root = ElementTree.fromstring(made)
    assert "".join(root.itertext()) == says
    for node in root.iter():
        pairs = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
        assert len(node) == pairs.get(node.tag, len(node)), node.tag
    assert 'display="block"' in sanitise.markdown2html({}, f"$${formula}$$")


@pytest.mark.parametrize(
    "source",
    [
        r"$\href{javascript:alert(1)}{x}$",
        r"$\def\x{1} \x$",
        "$x__2$",
        "$}$",
        "$" + "{" * 60 + "}" * 60 + "$",
        "it costs $5 for one and $6 for two",
        r"$\begin{pmatrix} 1 \end{pmatrix}$",
        r"$\frac{1}$",
        r"$\left_2$",
    ],
)
def test_other_formulas_stay_as_their_source(source):
    page = sanitise.markdown2html({}, source)
    assert "<math" not in page and BeautifulSoup(page, "html.parser").get_text().count("$") == source.count(
        "$"
    )


@pytest.mark.parametrize(
    "source",
    [
        r"$\text{<script>alert(1)</script>}$",
        '![a $x<y$ b](data:image/png;base64,AA" onerror="alert(1)) <b title="$x$">q</b>',
        f"<img alt='$\\, x$' src='data:image/png;base64,{PIXEL}'> [$y$](https://a.example 'a $\\, z$ b')",
        "&#xe000;0&#xe001;" * 500 + " $x_1$",
        "\ue0000\ue001 $x$ \ue0007\ue001 &#xe000;99&#xe001;",
        "<math><mtext><script>alert(1)</script></mtext></math> $x$",
    ],
)
def test_formulas_open_no_door(source):
    page = sanitise.markdown2html({}, source)
    for tag in BeautifulSoup(page, "html.parser").find_all(True):
        assert tag.name in sanitise.TAGS | FORMULA and not [
            name for name in tag.attrs if name.startswith("on")
        ]
        assert set(tag.attrs) <= {"href", "rel", "title", "src", "alt", "width"}, tag
    assert page.count("<math") <= source.count("$") // 2
    heard = Listener(page)
    assert not heard.stack and not heard.wrong


@pytest.mark.parametrize(
    "source", ["![x](attachment:gone.png)", "> " * 3_000 + "a", "- " * 3_000 + "a", "[" * 40_000]
)
def test_odd_markdown_costs_its_looks_only(source):
    assert isinstance(sanitise.markdown2html({}, source), str)
    assert isinstance(sanitise.markdown2html({"cell": {"attachments": {"gone.png": {}}}}, source), str)
