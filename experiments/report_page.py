"""Pieces of a report's page: HTML that stands alone, without a script and without the network."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Final

from mesoforge.experiments.units import typeset

KINDS: Final = {".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
WIDEST: Final = 1100
"""Pixels beyond which a picture is made smaller for the page; the file beside it stays as it is."""

STYLE: Final = """
:root{--ink:#1d2125;--soft:#5b636b;--line:#dfe3e7;--back:#fff;--tint:#f5f7f8;--mark:#a93226}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb3;--line:#3a4047;--back:#16191c;--tint:#1f2327;
--mark:#ef8a7d}figure img{background:#fff;border-radius:6px}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:2.6rem 0 .6rem;padding-top:.5rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.4rem 0 .4rem}
p,li{max-width:48rem}
.lead{font-size:1.12rem}.soft,figcaption{color:var(--soft);font-size:.9rem}
nav{font-size:.92rem;margin:1rem 0}nav a{display:inline-block;margin-right:1rem}
a{color:var(--mark)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1.2rem 0}
.card{background:var(--tint);border-radius:8px;padding:.7rem .9rem}
.card b{display:block;font-size:1.2rem;line-height:1.25}.card span{color:var(--soft);font-size:.85rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.6rem;align-items:start}
figure{margin:0}figure.wide{grid-column:1/-1}figure img{max-width:100%;height:auto;display:block;margin:0 auto}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.9rem;min-width:22rem}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font:.86rem/1.5 ui-monospace,Menlo,Consolas,monospace;background:var(--tint);border-radius:5px}
code{padding:.1rem .3rem;overflow-wrap:anywhere}
td code{white-space:nowrap}pre{padding:.8rem;overflow-x:auto}pre code{padding:0}
details{margin:.8rem 0}summary{cursor:pointer;color:var(--mark)}
.tag{border:1px solid var(--line);border-radius:1rem;padding:0 .55rem;font-size:.82rem;white-space:nowrap}
@media (max-width:44rem){table.told,.told tbody{display:block;min-width:0}.told thead{display:none}
.told tr{display:flex;flex-wrap:wrap;column-gap:1rem;border-bottom:1px solid var(--line);padding:.3rem 0}
.told td{border:0;padding:0}
.told1 td:last-child,.told2 td:nth-last-child(-n+2){flex:0 0 100%;color:var(--soft)}
figure.wide{overflow-x:auto}figure.wide img{max-width:none;width:46rem}}
@media print{details{display:block}nav{display:none}}
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of the page, what it shows in words, and whether it takes the whole width."""

    path: Path
    words: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the HTML below it."""

    title: str
    body: str


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return a whole page; ``lead`` is HTML that stands before the sections."""
    links = "".join(f'<a href="#{_anchor(one.title)}">{escape(one.title)}</a>' for one in sections)
    body = "".join(
        f'<section><h2 id="{_anchor(one.title)}">{escape(one.title)}</h2>{one.body}</section>' for one in sections
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{lead}<nav>{links}</nav>{body}</main></body></html>\n"
    )


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; words between backticks are set as code."""
    return f'<p class="{kind}">{words(text)}</p>' if kind else f"<p>{words(text)}</p>"


def words(text: str) -> str:
    """Return text as HTML; words between backticks are set as code, those between two stars bold, units as written."""
    parts = escape(text, quote=False).split("`")  # every second one is code
    coded = [f"<code>{part}</code>" if place % 2 else typeset(part) for place, part in enumerate(parts)]
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", "".join(coded))


def items(texts: Iterable[str]) -> str:
    """Return a list."""
    return "<ul>" + "".join(f"<li>{words(text)}</li>" for text in texts) + "</ul>"


def cards(values: Mapping[str, str]) -> str:
    """Return the few numbers that matter most, large."""
    shown = [f"<b>{escape(value)}</b><span>{escape(name)}</span>" for name, value in values.items()]
    return "<div class=cards>" + "".join(f"<div class=card>{one}</div>" for one in shown) + "</div>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], sentences: int = 0) -> str:
    """Return a table that scrolls sideways where the screen is narrow; cells are text, numbers keep their line.

    The last cells of a row, so many as are ``sentences``, stand below the others on a phone.
    """
    head = "".join(f"<th>{escape(one)}</th>" for one in headings)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    kind = f' class="told told{sentences}"' if sentences else ""
    return (
        f"<div class=scroll tabindex=0><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    number = re.match(r"^[-+−±\d.]", text) and len(text) < 24
    return f"<td class=n>{words(text)}</td>" if number else f"<td>{words(text)}</td>"


def folded(title: str, body: str) -> str:
    """Return what is seen only when asked for."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def code(text: str) -> str:
    """Return lines to be copied."""
    return f"<pre><code>{escape(text, quote=False)}</code></pre>"


def figures(some: Iterable[Figure]) -> str:
    """Return the pictures that are there, inside the page."""
    shown = [
        f'<figure{" class=wide" if one.wide else ""}><img alt="{escape(one.words)}" src="{_inside(one.path)}">'
        f"<figcaption>{words(one.words)}</figcaption></figure>"
        for one in some
        if one.path.is_file()
    ]
    return f"<div class=figures>{''.join(shown)}</div>" if shown else paragraph("There is no picture.", "soft")


def _inside(path: Path) -> str:
    """Return a picture as an address that holds it."""
    kind, content = KINDS[path.suffix], path.read_bytes()
    if path.suffix == ".png":
        content = _lighter(content)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _lighter(content: bytes) -> bytes:
    """Return a PNG at most so wide and with 256 colours, which no eye tells from the original."""
    from PIL import Image

    with Image.open(BytesIO(content)) as image:
        small = image.convert("RGB")
        if small.width > WIDEST:
            small = small.resize((WIDEST, round(small.height * WIDEST / small.width)), Image.Resampling.LANCZOS)
        made = BytesIO()
        small.quantize(256, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue() if made.tell() < len(content) else content


def write_page(text: str, path: Path) -> Path:
    """Write a page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)
