"""What a page links to outside docs/, a committed table say, becomes part of the site.

The links themselves stay as a reader of the repository needs them: `../results/...`.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

OUTSIDE = re.compile(r"(?<=\]\()\.\./((?!\.\./)[^)#\s]+)")
FOLDER = "linked"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the linked files; one that is not there is left for `--strict` to complain of."""
    root = Path(config.docs_dir).parent
    pages = [f for f in files.documentation_pages() if "/" not in f.src_uri]
    named = sorted({name for page in pages for name in OUTSIDE.findall(page.content_string)})
    for name in named:
        if (root / name).is_file():
            source = str(root / name)
            files.append(File.generated(config, f"{FOLDER}/{name}", abs_src_path=source))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point a top page's links at the copies."""
    return OUTSIDE.sub(rf"{FOLDER}/\1", markdown) if "/" not in page.file.src_uri else markdown
