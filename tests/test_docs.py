"""The documents as a whole: navigation, links, quotations, and the Korean versions.

`make docs` checks more, such as anchors, but it installs mkdocs; this needs the files only.
"""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCED = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)")
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
HEADING = re.compile(r"^#+(?= )", re.MULTILINE)
COMMENT = re.compile(r" *#(?! ->).*")
QUOTATION = re.compile(r"^<!-- from (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*sorted(ROOT.glob("*.md")), *PAGES]
KOREAN = sorted([*ROOT.glob("*.ko.md"), *DOCS.rglob("*.ko.md")])
QUOTATIONS = [(path.name, *match.groups()) for path in PAGES
              for match in QUOTATION.finditer(path.read_text(encoding="utf-8"))]


def name(path):
    return path.relative_to(ROOT).as_posix()


def read(path):
    return path.read_text(encoding="utf-8")


def prose(path):
    """A document without its blocks of code, in which anything may look like a link."""
    return FENCED.sub("", read(path))


def english(path):
    return path.with_name(path.name.replace(".ko.md", ".md"))


def test_every_page_is_in_the_navigation_once():
    navigation = read(ROOT / "mkdocs.yml").split("\nnav:\n")[1].split("\n\n")[0]
    listed = re.findall(r"\S+\.md$", navigation, re.MULTILINE)
    from_outside = {"index.md", "index.ko.md", "contributing.md"}  # see docs/hooks.py
    assert sorted(listed) == sorted({path.relative_to(DOCS).as_posix() for path in PAGES}
                                    | from_outside)


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_links_point_at_files(path):
    for target in LINK.findall(prose(path)):
        assert (path.parent / target).is_file(), target


def test_links_are_found(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("[a](a.md#x) [b](https://b) [c](#c) ![d](d.png)\n```python\ne[0](e)\n```\n")
    assert LINK.findall(prose(path)) == ["a.md", "d.png"]


@pytest.mark.parametrize(("page", "source", "text"), QUOTATIONS,
                         ids=[f"{page}-{i}" for i, (page, *_) in enumerate(QUOTATIONS)])
def test_quotations_are_what_the_source_says(page, source, text):
    indented = [textwrap.indent(text, " " * n) for n in (0, 4, 8, 12)]
    assert any(form in read(ROOT / source) for form in indented), (page, text)


@pytest.mark.parametrize("path", KOREAN, ids=name)
def test_a_korean_version_has_all_that_the_english_one_has(path):
    ours, original = read(path), read(english(path))
    code = [[(language, COMMENT.sub("", block)) for _, language, block in FENCED.findall(text)]
            for text in (ours, original)]
    assert code[0] == code[1]  # comments may be in Korean
    assert HEADING.findall(prose(path)) == HEADING.findall(prose(english(path)))
    assert PICTURE.findall(ours) == PICTURE.findall(original)
    assert f"({english(path).name})" in ours
    assert f"({path.name})" in original


def test_there_is_something_to_check():
    assert len(QUOTATIONS) > 5
    assert [name(path) for path in KOREAN] == ["README.ko.md", "docs/learn.ko.md"]
