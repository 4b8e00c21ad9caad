"""What the site (`make docs`) needs beside the pages: hooks of mkdocs.

The documents are written to be read in the repository, where README.md links to docs/tour.md
and that to ../tinygrad_lite/engine.py. On the site README.md is the first page, and a source
file that some page links to becomes a page too; these hooks move the links along.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from types import ModuleType

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, InclusionLevel

import tinygrad_lite as tg

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

# Pages of the site that are files of the repository outside docs/.
PAGES = {"index.md": "README.md", "index.ko.md": "README.ko.md",
         "contributing.md": "CONTRIBUTING.md"}

# The reference must have what these export.
ROOMS = [tg, tg.data, tg.nn, tg.nn.functional, tg.nn.init, tg.nn.utils, tg.optim,
         tg.optim.lr_scheduler, tg.plot]

LINK = re.compile(r"\]\((?![a-z]+:|[#/])([^)#\s]+)")
FROM_THE_NETWORK = re.compile(r"<(?:script|img|iframe)[^>]*\ssrc=\"?(?:https?:)?//"
                              r"|<link[^>]*\shref=\"?(?:https?:)?//")
PICTURE = re.compile(r'<img [^>]*src="([^"]+)"[^>]*>')
ENTRY = re.compile(r'id="tinygrad_lite\.(?:\w+\.)*(\w+)"')

described: set[str] = set()  # names that the pages so far have an entry for


class SpecialMethodsArePrivate(griffe.Extension):
    """Nobody calls `__reduce__`: no entry for it in the reference."""

    def on_instance(self, *, obj, **_kwargs):
        if obj.name.startswith("__"):
            obj.public = False


def origin(page: str) -> Path:
    """The file of the repository that a page of the site comes from."""
    if page.startswith("source/"):
        return ROOT / page.removeprefix("source/").removesuffix(".md")
    return ROOT / PAGES[page] if page in PAGES else DOCS / page


def place(path: Path) -> str:
    """Where a file of the repository is on the site."""
    name = path.relative_to(ROOT).as_posix()
    for page, source in PAGES.items():
        if source == name:
            return page
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    return f"source/{name}.md"


def targets(page: str, markdown: str) -> dict[str, Path]:
    """For each relative link of a page the file that it means, where there is such a file."""
    found = {}
    for link in {match[1] for match in LINK.finditer(markdown)}:
        path = (origin(page).parent / link).resolve()
        if path.is_file() and path.is_relative_to(ROOT):
            found[link] = path
    return found


def as_page(path: Path) -> str:
    """A source file as Markdown: itself, or a block of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    name = path.relative_to(ROOT).as_posix()
    language = {".py": "python", ".h": "c", ".c": "c"}.get(path.suffix, "text")
    return (f"---\nsearch:\n  exclude: true\nhide: [toc]\n---\n\n# {name}\n\n"
            f"`````{language} linenums=\"1\"\n{text}`````\n")


def on_files(files, config):
    """Add the pages that come from outside docs/, and the source files that are linked to."""
    for page in PAGES:
        files.append(File.generated(config, page, content=origin(page).read_text("utf-8")))
    for file in list(files.documentation_pages()):
        for path in targets(file.src_uri, file.content_string).values():
            page = place(path)
            if page.startswith("source/") and page not in files.src_uris:
                files.append(File.generated(config, page, content=as_page(path),
                                            inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown, page, config, files):  # noqa: ARG001  # mkdocs passes all four
    """Let relative links point at pages of the site."""
    here = posixpath.dirname(page.file.src_uri)
    known = targets(page.file.src_uri, markdown)

    def moved(match):
        path = known.get(match[1])
        return match[0] if path is None else f"]({posixpath.relpath(place(path), here or '.')}"

    return LINK.sub(moved, markdown)


def on_page_content(html, page, config, files):  # noqa: ARG001  # likewise
    """Let a picture lead to itself at full size; take the second colon from `formula::`."""
    described.update(ENTRY.findall(html))
    return PICTURE.sub(r'<a href="\1">\g<0></a>', html).replace("::</p>", ":</p>")


def on_post_page(output, page, config):  # noqa: ARG001  # likewise
    """Say which pages are Korean, and refuse a page that would load something when read."""
    if FROM_THE_NETWORK.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from the network")
    if page.file.src_uri.endswith(".ko.md"):
        output = output.replace('<html lang="en"', '<html lang="ko"', 1)
    return output


def on_post_build(config):  # noqa: ARG001  # likewise
    """Refuse a reference that lacks a public name."""
    public = {name for room in ROOMS for name in room.__all__
              if not isinstance(getattr(room, name), ModuleType)}
    lacking = sorted(public - described)
    if lacking:
        raise PluginError(f"docs/reference lacks {', '.join(lacking)}")
