"""The page of a suite: one HTML file that needs no other file and no network."""

from __future__ import annotations

from pathlib import Path

from resrank.io.atomic import write_text
from resrank.reporting.page.data import page_data

HERE = Path(__file__).resolve().parent


def write_page(root: Path, out: Path | None = None) -> Path:
    """Write `root`/report/index.html, or `out`, from a suite's files; return its path.

    Text from collections is escaped. The data is JSON whose `<`, `>` and `&` are escapes, so that
    nothing in it can end its script element.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    templates = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    page = templates.get_template("index.html.j2").render(
        page_data(root),
        style=(HERE / "page.css").read_text("utf-8"),
        script=(HERE / "page.js").read_text("utf-8"),
        plotly=get_plotlyjs(),
    )
    path = out or root / "report" / "index.html"
    write_text(path, page)
    return path
