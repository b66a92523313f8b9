"""The page of ``mesoforge explore`` in Dash's components: predictions, slices, the nearest electrodes, progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from dash import dcc, html

from mesoforge.experiments.canvas import COLOURS
from mesoforge.experiments.explorer import PICTURES, STEPS, Explorer, Neighbour, reach, value_at
from mesoforge.experiments.learned import varied
from mesoforge.experiments.making import Progress
from mesoforge.experiments.printing import WORDS, number
from mesoforge.experiments.report_parts import input_text, label, shown
from mesoforge.experiments.slices import Slice, rests
from mesoforge.experiments.study_charts import input_unit
from mesoforge.experiments.units import quantity, rounded, typeset, with_unit
from mesoforge.optimize.space import Variable
from mesoforge.optimize.trial import Value

STYLE: Final = """
:root{--ink:#1d2125;--soft:#5b636b;--line:#dfe3e7;--back:#fff;--tint:#f5f7f8;--mark:#a93226;--warn:#fff3d6;
--Dash-Fill-Interactive-Strong:#a93226}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb3;--line:#3a4047;--back:#16191c;--tint:#1f2327;
--mark:#ef8a7d;--warn:#4a3a12}
html:root{--Dash-Fill-Disabled:#3a4047;--Dash-Fill-Inverse-Strong:#1f2327;--Dash-Fill-Interactive-Weak:#2a2f35;
--Dash-Text-Strong:#e8eaed;--Dash-Text-Primary:#e8eaed;--Dash-Text-Weak:#a3abb3;--Dash-Stroke-Strong:#5b636b;
--Dash-Stroke-Weak:#3a4047;--Dash-Fill-Primary-Hover:#2a2f35;--Dash-Fill-Primary-Active:#3a4047}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.2rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.2;margin:.2rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:1.8rem 0 .6rem}
.soft{color:var(--soft);font-size:.9rem}
.panes{display:grid;grid-template-columns:minmax(0,24rem) minmax(0,1fr);gap:2.2rem}
.slider{margin-bottom:1.3rem}.slider b{float:right;font-variant-numeric:tabular-nums}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:.8rem}
.slices{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:.4rem}
.card{background:var(--tint);border-radius:8px;padding:.7rem .9rem}
.card b{display:block;font-size:1.3rem;line-height:1.3;font-variant-numeric:tabular-nums}
.card img{width:100%;border-radius:6px;background:#fff;display:block;margin-bottom:.5rem}
.card table{border-collapse:collapse;font-size:.86rem;width:100%}
.card td{padding:.1rem 0;vertical-align:top}.card td+td{text-align:right;padding-left:.5rem;white-space:nowrap;
font-variant-numeric:tabular-nums}
.bar{position:relative;height:1.1rem;margin:.4rem 0 .1rem}
.bar i{position:absolute}.bar .track{left:0;right:0;top:.5rem;height:2px;background:var(--line)}
.bar .span{top:.3rem;height:.5rem;border-radius:.25rem;background:var(--mark);opacity:.35}
.bar .mean{top:.1rem;width:3px;height:.9rem;margin-left:-1px;background:var(--mark)}
.bar .aim{top:0;width:0;height:1.1rem;border-left:2px dashed var(--ink)}
.warning{background:var(--warn);border-radius:8px;padding:.6rem .9rem;margin:.8rem 0;font-size:.92rem}
.warning p{margin:.1rem 0}
button{font:inherit;font-weight:600;color:#fff;background:#a93226;border:0;border-radius:8px;padding:.6rem 1.1rem;
cursor:pointer}button:disabled{opacity:.45;cursor:default}
footer{display:none}[class*=slider-mark]{color:var(--soft)}
@media (max-width:52rem){.panes{grid-template-columns:minmax(0,1fr);gap:0}}
"""
_GRID: Final = "rgba(128,136,144,.25)"
_LONG: Final = 30
"""Letters from which the name of an axis does not fit beside a slice; the choice above tells it."""
FRAME: Final = """<!doctype html>
<html lang="en"><head>{%metas%}<title>{%title%}</title><link rel="icon" href="data:,">{%css%}<style>STYLE</style></head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body></html>""".replace("STYLE", STYLE)


def layout(explorer: Explorer) -> html.Main:
    """Return the whole page; the sliders begin at the study's best electrode."""
    study = explorer.plan.study
    outputs = [{"label": quantity(name).axis, "value": name} for name in explorer.gp.table.names]
    return html.Main(
        [
            html.H1(f"Explore {study.name}"),
            html.P(typeset(study.note) or "A study without a note.", className="soft"),
            html.Div(
                [
                    html.Section([html.H2("Recipe"), *_sliders(explorer), *_maker()]),
                    html.Section([html.H2("What the surrogate foretells"), html.Div(id="foretold")]),
                ],
                className="panes",
            ),
            html.H2("Along each input, the others held"),
            dcc.Dropdown(outputs, outputs[0]["value"], id="output", clearable=False, searchable=False),
            html.Div(id="slices", className="slices"),
            html.H2("Nearest electrodes that were simulated"),
            html.Div(id="nearest", className="cards"),
            dcc.Interval(id="clock", interval=1000, disabled=True),
        ]
    )


def _sliders(explorer: Explorer) -> list[html.Div]:
    start = explorer.start()
    return [_slider(place, one, start[one.name], explorer) for place, one in enumerate(explorer.variables)]


def _slider(place: int, one: Variable, value: Value, explorer: Explorer) -> html.Div:
    """Return the slider of one variable in its unit interval, with its own numbers at the bounds."""
    low, high = reach(one, explorer)
    slider = dcc.Slider(
        min=low,
        max=high,
        step=1 / (len(one.choices) or STEPS),
        value=one.to_unit(value),
        marks=_marks(one),
        id={"type": "slider", "place": place},
        updatemode="drag",
        allow_direct_input=False,
        included=False,
    )
    told = html.B(id={"type": "told", "place": place})
    return html.Div([html.Span([label(one.name), told]), slider], className="slider", title=one.name)


def _marks(one: Variable) -> dict[float, str]:
    if one.choices:
        return dict(zip(rests(one), map(str, one.choices), strict=True))
    return {0.0: number(one.low), 1.0: number(one.high)}


def _maker() -> list[Any]:
    said = "Simulates this recipe in LAMMPS and records it in MLflow, as 'mesoforge make' does. About a minute or more."
    return [html.Button("Make this one", id="make"), html.P(said, className="soft"), html.Div(id="progress")]


def values_at(explorer: Explorer, places: Sequence[float]) -> dict[str, Value]:
    """Return the inputs at the sliders' places."""
    return {one.name: value_at(one, place) for one, place in zip(explorer.variables, places, strict=True)}


def told(values: Mapping[str, Value]) -> list[str]:
    """Return each input with its unit."""
    return [input_text(name, value) for name, value in values.items()]


def foretold(said: Mapping[str, Any], explorer: Explorer) -> list[Any]:
    """Return what is foretold as cards, and what to mind above them."""
    cards = [_card(name, one, explorer) for name, one in said["properties"].items()]
    from_what = f"Learned from {said['measured']} electrodes; the bars hold 95 % of new ones, dashes are targets."
    return [
        *warning([*said["notes"], *_unsure(said["properties"])]),
        html.Div(cards, className="cards"),
        html.P(from_what, className="soft"),
    ]


def _unsure(properties: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Say what the surrogate foretells no better than a mean would."""
    unsure = [label(name).lower() for name, one in properties.items() if (one["loo_r2"] or 0.0) <= 0]
    told = f"of {', '.join(unsure)} the surrogate foretells no more than the mean so far: make more electrodes."
    return [told[0].upper() + told[1:]] if unsure else []


def warning(notes: Sequence[str]) -> list[html.Div]:
    """Return sentences that must not be overlooked; nothing where there are none."""
    return [html.Div([html.P(note) for note in notes], className="warning", role="alert")] if notes else []


def _card(name: str, one: Mapping[str, float | None], explorer: Explorer) -> html.Div:
    low, mean, high = (float(one[key] or 0.0) for key in ("low", "mean", "high"))
    quality = "" if one["loo_r2"] is None else f", R² left out {one['loo_r2']:.2f}"
    return html.Div(
        [
            html.Span(label(name), className="soft"),
            html.B(shown(name, mean)),
            _bar(name, (low, mean, high), explorer),
            html.Span(f"{shown(name, low)} to {shown(name, high)}{quality}", className="soft"),
        ],
        className="card",
    )


def _bar(name: str, three: tuple[float, float, float], explorer: Explorer) -> html.Div:
    """Return low, mean and high on the scale of what was measured, with the target where there is one."""
    column = explorer.gp.table.Y[:, explorer.gp.table.names.index(name)]
    aim = next((one.target for one in explorer.plan.problem.objectives.each if one.name == name), None)
    seen = [float(column.min()), float(column.max()), *([] if aim is None else [aim])]
    margin = 0.3 * (max(seen) - min(seen)) or 1.0
    first, last = min(seen) - margin, max(seen) + margin
    low, mean, high = (float(np.clip(100 * (value - first) / (last - first), 0, 100)) for value in three)
    marks = [
        html.I(className="track"),
        html.I(className="span", style={"left": f"{low:.2f}%", "width": f"{high - low:.2f}%"}),
        html.I(className="mean", style={"left": f"{mean:.2f}%"}),
    ]
    if aim is not None:
        marks.append(html.I(className="aim", style={"left": f"{100 * (aim - first) / (last - first):.2f}%"}))
    return html.Div(marks, className="bar")


def slices(values: Mapping[str, Value], output: str, explorer: Explorer) -> list[dcc.Graph]:
    """Return the surrogate of one output along each variable, on one scale, with a line at the slider's place."""
    cuts = {name: explorer.cut(values, name) for name in values}
    low, high = (pick(pick(end[output]) for end in ends) for pick, ends in (
        (min, [cut.low for cut in cuts.values()]), (max, [cut.high for cut in cuts.values()]),
    ))  # fmt: skip
    scale, margin = quantity(output).scale, 0.04 * (high - low)
    span = [scale * float(low - margin), scale * float(high + margin)]
    figures = [_slice(cuts[one.name], one, values[one.name], output) for one in explorer.variables]
    for figure in figures:
        figure.update_yaxes(range=span)
    options: dict[str, Any] = {"config": {"displayModeBar": False}, "responsive": True, "style": {"height": "18rem"}}
    return [dcc.Graph(figure=one, **options) for one in figures]


def _slice(cut: Slice, one: Variable, here: Value, output: str) -> go.Figure:
    about, figure = quantity(output), go.Figure()
    band = [*(about.scale * cut.high[output]), *(about.scale * cut.low[output][::-1])]
    figure.add_scatter(
        x=[*cut.values, *cut.values[::-1]], y=band, fill="toself", line_width=0, fillcolor="rgba(192,57,43,.22)",
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(x=cut.values, y=about.scale * cut.mean[output], line_color=COLOURS["active material"])
    figure.add_vline(x=here, line_dash="dot", line_color="#808890")
    ends = list(one.choices) or [one.from_unit(unit) for unit in (0.0, 0.5, 1.0)]
    figure.update_xaxes(
        title=with_unit(label(one.name), input_unit(one.name)), type="category" if one.choices else one.scale,
        tickvals=ends, ticktext=[_short(value) for value in ends], tickangle=0,
    )  # fmt: skip
    figure.update_yaxes(title=about.axis if len(about.axis) < _LONG else with_unit("", about.unit).strip())
    figure.update_xaxes(gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False)
    figure.update_layout(
        height=280, showlegend=False, margin={"l": 58, "r": 14, "t": 12, "b": 48}, font_color="#808890",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(128,136,144,.08)", autosize=True,
    )  # fmt: skip
    return figure


def _short(value: Value) -> str:
    return value if isinstance(value, str) else rounded(value)


def neighbours(some: Sequence[Neighbour], explorer: Explorer) -> list[html.Div]:
    """Return the nearest electrodes as cards with their pictures."""
    return [_neighbour(one, explorer) for one in some]


def _neighbour(one: Neighbour, explorer: Explorer) -> html.Div:
    rows = [(label(name), input_text(name, value)) for name, value in one.values.items()]
    rows += [
        (label(name), shown(name, one.properties[name])) for name in explorer.gp.table.names if name in one.properties
    ]
    there = any((one.folder / name).is_file() for name in PICTURES)
    picture = html.Img(src=f"/picture/{one.folder.name}", alt=f"{one.name}, cut open") if there else None
    return html.Div([picture, html.Div(one.name, className="soft"), _table(rows)], className="card")


def _table(rows: Sequence[tuple[str, ...]]) -> html.Table:
    return html.Table(html.Tbody([html.Tr([html.Td(cell) for cell in row]) for row in rows]))


def progress(now: Progress, explorer: Explorer) -> list[Any]:
    """Return where the electrode under way stands, or how the last one came out beside what was foretold."""
    if now.state == "making":
        return [html.P(f"Making: {WORDS.get(now.stage, 'starting')} ...", role="status")]
    if now.state == "failed":
        return warning([f"The physics failed in {now.stage}: {now.reason}."])
    if now.state == "made" and now.recipe is not None:
        return [_made(now, explorer)]
    return []


def _made(now: Progress, explorer: Explorer) -> html.Div:
    said = explorer.foretell(varied(now.recipe, explorer.plan))["properties"] if now.recipe is not None else {}
    rows = [
        (quantity(name).axis, f"{_bare(name, one['mean'])} ± {_bare(name, one['sd'])}", _bare(name, there))
        for name, one in said.items()
        for there in (now.properties.get(name),)
    ]
    head = f"Made: electrode {now.electrode[:12]}"
    return html.Div([html.Div(head), _table([("", "foretold", "physics"), *rows])], className="card", role="status")


def _bare(name: str, value: float | None) -> str:
    """Return a property as people read it, without its unit."""
    return "-" if value is None else number(value * quantity(name).scale)
