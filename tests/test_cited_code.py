"""What the pages of the two papers cite is what runs: every function and class has a caller outside the tests."""

import ast
import re

import pytest
from doc_pages import CODE_LINK, ROOT

PAGES = ("scan.md", "masked_attention.md")
ENTRIES = {"plan"}  # called by name, through a table of modules
TABLE_ENTRY = re.compile(r"[a-z_.]+:[A-Za-z]\w*")


def uses(tree):
    """Names that a module's code reads: by themselves, after a dot, or as `module:Name` in a table."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and TABLE_ENTRY.fullmatch(str(node.value)):
            yield node.value.rpartition(":")[2]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_cites_has_a_caller_outside_the_tests(page):
    called = {name for path in (ROOT / "scan_jax").rglob("*.py") for name in uses(ast.parse(path.read_text()))}
    cited = {name.rpartition(".")[2] for name, _, _ in CODE_LINK.findall((ROOT / "docs" / page).read_text())}
    lonely = cited - ENTRIES - called
    assert len(cited) > 10 and not lonely, f"docs/{page} cites code that only tests call: {sorted(lonely)}"
