"""Reference pages that are made when the site is built: commands from typer, keys from pydantic."""

import json
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from resrank.cli import app
from resrank.registry import KINDS, resolve
from resrank.suite.schema import Suite

BOUNDS = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add both pages."""
    for name, content in (("cli", commands()), ("configuration", configuration())):
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def commands() -> str:
    """Every verb with its options, as `--help` shows them."""
    command = get_command(app)
    context = Context(command, info_name="python -m resrank")
    text = get_docs_for_click(obj=command, ctx=context, name="python -m resrank", title="Commands")
    return _escaped(text)


def configuration() -> str:
    """Every section of a suite, and the options of every kind of system, as tables of keys."""
    options = [_options(kind) for kind in KINDS]
    models = dict.fromkeys([Suite, *(model for pair in options for model in pair if model)])
    refs, schema = models_json_schema([(model, "validation") for model in models])
    rows = []
    for (kind, where), pair in zip(KINDS.items(), options, strict=True):
        links = (_form(refs[model, "validation"]) if model else "–" for model in pair)
        rows.append(f"| `{kind}` | `{where}` | {' | '.join(links)} |")
    sections = schema["$defs"]
    names = ["Suite", *sorted(set(sections) - {"Suite"})]
    head = "# Configuration, key by key\nMade from the typed models when the site is built; "
    head += "[Configuration](../configuration.md) explains.\n\n## Kinds of systems\n"
    head += "| kind | class | `options` | `training` |\n|---|---|---|---|\n" + "\n".join(rows)
    return "\n\n".join([head, *("\n".join(_section(n, sections[n])) for n in names)]) + "\n"


def _options(kind: str) -> tuple[type[BaseModel] | None, type[BaseModel] | None]:
    cls = resolve(kind)
    return cls.Options, cls.Training


def _section(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {_title(name)}\n{_escaped(schema.get('description', ''))}\n"
    if "properties" not in schema:
        yield f"One of {_form(schema)}."
        return
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key, value in schema["properties"].items():
        required = key in schema.get("required", ())
        default = "required" if required else _default(value.get("default"))
        cells = (f"`{key}`", _form(value), default, _escaped(value.get("description", "")))
        yield (
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        )


def _form(schema: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_form(part) for part in schema[several])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    form = {"null": "unset", "array": "list", "object": "mapping"}.get(
        schema.get("type", "any"), schema.get("type", "any")
    )
    inner = schema.get("items", schema.get("additionalProperties"))
    inside = f" of {_form(inner)}" if isinstance(inner, dict) and inner else ""
    bounds = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    return " ".join([form + inside, *bounds])


def _default(value: Any) -> str:
    """A default as YAML reads it; of a section, its own table says."""
    if value is None:
        return "unset"
    return "its own" if isinstance(value, dict) and value else f"`{json.dumps(value)}`"


def _link(name: str) -> str:
    return f"[{_title(name)}](#{_title(name).lower().replace('.', '')})"


def _title(name: str) -> str:
    """Pydantic's name of a model; of several of one name, with their modules."""
    return name.replace("__", ".")


def _escaped(text: str) -> str:
    """`<suite>` outside code is text, not a tag."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
