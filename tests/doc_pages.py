"""What the documentation says, taken apart: its commands, its snippets and its links.

`python tests/doc_pages.py` writes the line numbers of links such as [`encode`](../scan_jax/images/png.py#L25) anew.
"""

import ast
import dataclasses
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))  # whose commands and snippets are run
LINKED = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "launch" / "README.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
CODE_LINK = re.compile(r"\[`([\w.]+)`\]\(([./\w]+\.py)#L(\d+)\)")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclasses.dataclass(frozen=True)
class Command:
    """A line of a shell."""

    place: str  # page and line, for people
    words: tuple[str, ...]  # what a shell would make of it, without assignments to the environment

    @property
    def module(self):
        """What `python -m` runs, or a program's name."""
        words = self.words
        is_module = Path(words[0]).name.startswith("python") and words[1:2] == ("-m",) and len(words) > 2
        return words[2] if is_module else words[0]

    @property
    def arguments(self):
        return list(self.words[3 if self.module != self.words[0] else 1 :])


def fences(page):
    """(language, first line's number, text) of every fenced block."""
    text = page.read_text()
    return [(found[1], text[: found.start(2)].count("\n") + 1, found[2]) for found in FENCE.finditer(text)]


INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )?(?:python3? (?:-m |tests/)|scan-jax )[^`]+)`")


def commands():
    """Every command of every page once: bash blocks, lines after `$ ` in blocks that show a terminal, running text."""
    found = {}
    for page in PAGES:
        for language, line, text in fences(page):
            if language == "bash":
                block = block_commands(text, f"{page.relative_to(ROOT)}:{line}")
            elif not language:
                typed = "".join(f"{row[2:]}\n" for row in text.splitlines() if row.startswith("$ "))
                block = block_commands(typed, f"{page.relative_to(ROOT)}:{line}")
            else:
                continue
            for command in block:
                found.setdefault(command.words, command)
        text = FENCE.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())
        for span in INLINE.finditer(text):
            place = f"{page.relative_to(ROOT)}:{text[: span.start()].count(chr(10)) + 1}"
            for command in block_commands(span[1].replace("\n", " "), place):
                found.setdefault(command.words, command)
    return list(found.values())


def block_commands(text, place):
    """The commands of a block; an argument `...` stands for those of the command before."""
    previous = ()
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|<>")
        lexer.whitespace_split = True
        part = []
        for word in [*lexer, "&&"]:
            if word not in ("&&", ";"):
                again = previous[part[-1:] == previous[:1] :]  # `scan_jax inpaint ...`: the name is there already
                part += again if word == "..." else [word]
                continue
            while part and ASSIGNMENT.fullmatch(part[0]):
                part.pop(0)
            if part:
                command = Command(place, tuple(part))
                previous = command.arguments
                yield command
            part = []


def snippets():
    """(place, text) of the Python blocks, those of a page as one."""
    for page in PAGES:
        parts = [text for language, _, text in fences(page) if language == "python"]
        if parts:
            yield str(page.relative_to(ROOT)), "\n".join(parts)


def links(page):
    """Targets of the page's links and pictures that are no addresses, outside code blocks."""
    text = FENCE.sub("", page.read_text())
    return [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]


def anchors(page):
    """What a link may name after #, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def line_of(path, name):
    """Where a module defines a name such as "Decoder" or "Scan.generator_loss"; None where it does not."""
    body, found = ast.parse(path.read_text()).body, None
    for part in name.split("."):
        found = next((node for node in body if part in _defined(node)), None)
        body = getattr(found, "body", [])
    return found.lineno if found else None


def _defined(node):
    """The names that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def with_lines(page):
    """The page's text with every code link at its line."""

    def at_its_line(found):
        line = line_of(page.parent / found[2], found[1])
        return f"[`{found[1]}`]({found[2]}#L{line})"

    return CODE_LINK.sub(at_its_line, page.read_text())


if __name__ == "__main__":
    for written in LINKED:
        written.write_text(with_lines(written))
