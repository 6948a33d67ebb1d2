# SPDX-License-Identifier: GPL-2.0-only
"""What bench/compare writes: tables, a chart, figures for programs, and the judgement whether something became worse.

A figure is (title, unit, {"stock": value, "tenon": value}) under a name; values that were not measured are None or not there."""
import dataclasses
import html
import itertools
import json


@dataclasses.dataclass
class Figure:
    name: str
    title: str
    unit: str
    values: dict  # by "stock" and "tenon"
    part: str = ""  # the heading that it stands under

    @property
    def ratio(self):
        stock, tenon = self.values.get("stock"), self.values.get("tenon")
        return tenon / stock if stock and tenon is not None else None


def number(value):
    return f"{value:,.{0 if value >= 1000 else 1 if value >= 10 else 2}f}"


def table(title, rows, pairs):
    """pairs: [(heading, {"stock": [...], "tenon": [...]})] of figures, one a row, None where not measured; after two figures their
    ratio, Tenon's over stock's."""
    out = [f"{title}\n  {'':50}{'':13}"]
    for heading, figures in pairs:
        out[0] += "".join(f"{heading + name:>14}" for name in figures) + ("   ratio" if len(figures) == 2 else "")
    for index, (text, unit) in enumerate(rows):
        cells = ""
        for _, figures in pairs:
            values = [column[index] for column in figures.values()]
            for value in values:
                cells += f"{'-' if value is None else number(value):>14}"
            if len(values) == 2:
                cells += f"{values[1] / values[0]:8.3f}" if None not in values and values[0] else f"{'-':>8}"
        if cells.strip(" -"):
            out.append(f"  {text:50}{unit:13}{cells}".rstrip(" -"))
    return "\n".join(out) + "\n"


def compared(figures):
    """(heading, its figures) of those that both have."""
    return itertools.groupby((figure for figure in figures if figure.ratio is not None), key=lambda figure: figure.part)


def markdown(figures):
    """The same as lines of a document, each part under its heading."""
    out = []
    for part, its in compared(figures):
        out += ["", f"| {part} | stock | Tenon | ratio |", "|---|---:|---:|---:|"]
        out += [f"| {f.title} | {number(f.values['stock'])} | {number(f.values['tenon'])} | {f.ratio:.2f} |" for f in its]
    return "\n".join(out[1:]) + "\n"


def document(figures, **about):
    """JSON: about what, and each figure."""
    return json.dumps({**about, "figures": {
        f.name: {"part": f.part, "title": f.title, "unit": f.unit, **{name: round(value, 3) for name, value in f.values.items() if value is not None}}
        for f in figures}}, indent=1) + "\n"


def recorded(text):
    return [Figure(name, f["title"], f["unit"], {who: f[who] for who in ("stock", "tenon") if who in f}, f["part"])
            for name, f in json.loads(text)["figures"].items()]


def worse(figures, before, limit):
    """A line for each of our figures that is more than `limit` (0.05: 5 %) above the one before, or that is not there any more."""
    now, out = {figure.name: figure for figure in figures}, []
    for old in before:
        was, is_now = old.values.get("tenon"), now[old.name].values.get("tenon") if old.name in now else None
        if was is None:
            continue
        if is_now is None:
            out.append(f"{old.part}: {old.title}: not measured, was {number(was)}")
        elif is_now > was * (1 + limit) and is_now - was > 2:  # of three instructions one more is no matter
            out.append(f"{old.part}: {old.title}: {number(is_now)} {old.unit}, was {number(was)} (+{100 * (is_now / was - 1):.1f} %)")
    return out


ROW, LABEL, BAR, TOP = 17, 430, 400, 30


def chart(figures, title):
    """SVG: for each figure that both have Tenon's share of stock's as a bar, and a line where they are the same."""
    rows = []
    for part, its in compared(figures):
        rows += [(part, None), *((figure.title, figure.ratio) for figure in its)]
    height, out = TOP + ROW * len(rows) + 24, []
    for index, (text, ratio) in enumerate(rows):
        y = TOP + ROW * index
        if ratio is None:
            out.append(f'<text x="8" y="{y + 13}" font-weight="bold">{html.escape(text)}</text>')
            continue
        width = BAR * min(ratio, 1.25)
        out += [f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{html.escape(text)}</text>',
                f'<rect x="{LABEL}" y="{y + 2}" width="{width:.1f}" height="{ROW - 5}" fill="{"#2a7" if ratio <= 1 else "#c63"}"/>',
                f'<text x="{LABEL + width + 5:.1f}" y="{y + 13}">{ratio:.2f}</text>']
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + 1.25 * BAR + 60:.0f}" height="{height}" '
            f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            f'<text x="8" y="18" font-size="14">{html.escape(title)}</text>\n' + "\n".join(out) +
            f'\n<path d="M{LABEL + BAR} {TOP} V{height - 20}" stroke="#555" stroke-dasharray="3 3"/>\n'
            f'<text x="{LABEL + BAR}" y="{height - 6}" text-anchor="middle">1: as stock Xen</text>\n</svg>\n')
