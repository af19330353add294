"""The shape of a chapter: what each chapter's front matter and text hold, and what they lack.

    python book/_ext/shape.py            which chapter lacks what; exit status 1 if any does

It reads the Markdown alone: no Sphinx, no kernel, no page is built. docs/book.md says what the shape is and why. What
is made of it on a page is in chapter.py and course_map.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ENDING = {
    "check": r"Check yourself",
    "summary": r"Summary",
    "lecture": r"What the lectures? says?",
    "reading": r"Further reading",
}
"""Part of the shape -> its heading; they stand at the end of a chapter in this order."""
SHAPE = ("question", "predict", "run", "exercise", *ENDING)
FIELDS = {"minutes", "needs", "lab", "without"}
FENCE = re.compile(r"^\s*(`{3,}|:{3,}|~{3,})(?:\{([\w:-]+)\})?\s*(.*)$")


@dataclass
class Block:
    """A directive: its name, its argument, its lines and the `##` section it stands in."""

    name: str
    argument: str
    section: str
    lines: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return next((m[1] for line in self.lines if (m := re.match(r"\s*:label:\s*(\S+)", line))), "")


@dataclass
class Chapter:
    """One chapter as its file says. name: "part1/logits"; sections: heading of a `##` -> its text, "" -> what is above."""

    name: str
    title: str
    about: dict[str, Any]
    sections: dict[str, str]
    blocks: list[Block]

    @property
    def minutes(self) -> int:
        return int(self.about.get("minutes") or 0)

    @property
    def needs(self) -> list[str]:
        return list(self.about.get("needs") or [])

    @property
    def lab(self) -> str | None:
        return self.about.get("lab")

    @property
    def tasks(self) -> list[str]:
        return [block.argument for block in self.blocks if block.name == "task"]

    def count(self, *names: str) -> int:
        return sum(block.name in names for block in self.blocks)

    def estimate(self) -> int:
        """Minutes to read, predict, run and answer, in fives, by a rule of thumb.

        100 words a minute, a minute and a half for a cell, figure or quiz, three for an exercise.
        """
        words = sum(len(text.split()) for text in self.sections.values())
        things = self.count("code-cell", "quiz", "reveal", "interactive") + 2 * self.count("exercise")
        minutes = words / 100 + 1.5 * things
        return max(5, 5 * round(minutes / 5))


@dataclass
class Part:
    caption: str
    chapters: list[Chapter]


def scan(lines: list[str]) -> Iterator[tuple[str, str, Block | None]]:
    """(section, line of prose, block that begins there) for each line outside code; a block keeps its own lines.

    Blocks between ``` are taken whole. Those between ::: may hold others and prose, so their lines are scanned, too.
    """
    section, inside, closing = "", None, ""
    boxes: list[tuple[str, Block]] = []
    for line in lines:
        if inside is not None:
            if line.strip() == closing:
                inside = None
            else:
                inside.lines.append(line)
            continue
        if boxes and line.strip() == boxes[-1][0]:
            boxes.pop()
            continue
        for _closing, box in boxes:
            box.lines.append(line)
        if match := FENCE.match(line):
            block = Block(match[2] or "", match[3].strip(), section)
            if match[1].startswith(":"):
                boxes.append((match[1], block))
            else:
                inside, closing = block, match[1]
            yield section, "", block
            continue
        if not boxes and (heading := re.match(r"## +(.+?)\s*$", line)):
            section = heading[1]
        yield section, line, None


def parse(name: str, text: str) -> Chapter:
    """A chapter from its Markdown.

    >>> one = parse("part1/x", "---\\nllmlab: {minutes: 5}\\n---\\n# Title\\nWhy?\\n## Summary\\nSo.")
    >>> one.title, one.minutes, one.sections["Summary"].strip()
    ('Title', 5, 'So.')
    """
    about: dict[str, Any] = {}
    lines = text.splitlines()
    if lines and lines[0] == "---" and "---" in lines[1:]:
        end = lines.index("---", 1)
        about = (yaml.safe_load("\n".join(lines[1:end])) or {}).get("llmlab") or {}
        lines = lines[end + 1 :]
    title, sections, blocks = name, {"": ""}, []
    for section, line, block in scan(lines):
        if block:
            blocks.append(block)
        elif section == "" and (heading := re.match(r"# +(.+?)\s*$", line)):
            title = heading[1]
        elif line.startswith("## "):
            sections.setdefault(section, "")
        else:
            sections[section] = sections.get(section, "") + line + "\n"
    return Chapter(name, title, about, sections, blocks)


def section(chapter: Chapter, part: str) -> str | None:
    """The heading of the section that is this part of the ending, as the chapter writes it; None if there is none."""
    return next((name for name in chapter.sections if re.fullmatch(ENDING[part], name)), None)


def lacks(chapter: Chapter) -> dict[str, str]:
    """What is missing of the shape: {part of it: what to do}."""
    found: dict[str, str] = {}
    prose = "\n".join(chapter.sections.values())
    if "?" not in chapter.sections[""]:
        found["question"] = "ask something above the first ## heading"
    if "**Predict.**" not in prose and not chapter.count("reveal"):
        found["predict"] = "say **Predict.** before a cell, or use {reveal}"
    if not chapter.count("code-cell", "interactive"):
        found["run"] = "there is nothing to run"
    solved = {block.argument for block in chapter.blocks if block.name == "solution"}
    tasks = {block.section for block in chapter.blocks if block.name == "task"}
    exercises = [block for block in chapter.blocks if block.name == "exercise"]
    open_ends = [b.label or "?" for b in exercises if b.label not in solved and b.section not in tasks]
    if not exercises:
        found["exercise"] = "there is no {exercise}"
    elif open_ends:
        found["exercise"] = f"no {{solution}} and no {{task}} for {', '.join(open_ends)}"
    if heading := section(chapter, "check"):
        quizzes = sum(block.name == "quiz" and block.section == heading for block in chapter.blocks)
        inside = "\n".join(line for b in chapter.blocks if b.section == heading for line in b.lines)
        if quizzes < 2:
            found["check"] = f"two quizzes or more, not {quizzes}"
        elif chapter.tasks and "llmlab check" not in chapter.sections[heading] + inside:
            found["check"] = "name the `llmlab check` that tests its functions"
    if (heading := section(chapter, "summary")) and len(sentences(chapter.sections[heading])) < 3:
        found["summary"] = "three sentences or bullets at least"
    if (heading := section(chapter, "lecture")) and "<ledger-" not in chapter.sections[heading]:
        found["lecture"] = "link to a row of the ledger"
    if (heading := section(chapter, "reading")) and "{cite" not in chapter.sections[heading]:
        found["reading"] = "cite what to read"
    for part, pattern in ENDING.items():
        if section(chapter, part) is None:
            found[part] = f"there is no section “{pattern.replace('?', '')}”"
    return found


def sentences(text: str) -> list[str]:
    """Sentences and bullets of a text, roughly.

    >>> sentences("One. Two is\\nlonger.\\n- a\\n- b")
    ['One.', 'Two is longer.', 'a', 'b']
    """
    blocks = re.split(r"\n\s*\n|\n(?=[-*] )", text.strip())
    return [s for block in blocks for s in re.split(r"(?<=[.!?])\s+", " ".join(block.lstrip("-* ").split())) if s]


def gaps(chapter: Chapter, before: list[str], labs: dict[str, tuple[str, ...]]) -> list[str]:
    """Everything wrong with a chapter's shape, in words.

    before: the chapters above it in the table of contents; labs: lab -> its modules.
    """
    about, found = chapter.about, []
    if missing := {"minutes", "needs", "lab"} - set(about):
        found.append(f"front matter: llmlab lacks {', '.join(sorted(missing))}")
    if unknown := set(about) - FIELDS:
        found.append(f"front matter: llmlab has no field {', '.join(sorted(unknown))}")
    if "minutes" in about and abs(chapter.minutes - chapter.estimate()) > max(15, chapter.estimate() / 2):
        found.append(f"front matter: {chapter.minutes} minutes, but its length speaks for about {chapter.estimate()}")
    for name in chapter.needs:
        if name not in before:
            found.append(f"front matter: needs {name}, which is no chapter above this one")
    tested = {lab for lab, modules in labs.items() for task in chapter.tasks if task.split(".")[0] in modules}
    if chapter.lab is not None and chapter.lab not in labs:
        found.append(f"front matter: there is no lab {chapter.lab!r}")
    elif "lab" in about and tested - {chapter.lab}:
        found.append(f"front matter: lab is {chapter.lab}, but its tasks belong to {', '.join(sorted(tested))}")
    missing_parts, without = lacks(chapter), dict(about.get("without") or {})
    for part, reason in without.items():
        if part not in SHAPE:
            found.append(f"front matter: without {part}: the parts are {', '.join(SHAPE)}")
        elif part not in missing_parts:
            found.append(f"front matter: without {part}, but the chapter has it")
        elif len(str(reason).split()) < 3:
            found.append(f"front matter: without {part}: say why")
    found += [f"{part}: {what}" for part, what in missing_parts.items() if part not in without]
    present = [heading for part in ENDING if (heading := section(chapter, part))]
    if present != (order := [name for name in chapter.sections if name in present]):
        found.append(f"order: {', '.join(order)}; it should be {', '.join(present)}")
    elif present and list(chapter.sections)[-len(present) :] != present:
        found.append(f"order: {', '.join(present)} should be the last sections")
    return found


def read(root: Path) -> list[Part]:
    """The parts of the book and their chapters, as `_toc.yml` lists them: what is in a folder book/part<N>."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = []
    for part in toc.get("parts", []):
        files = [c["file"] for c in part["chapters"] if re.match(r"book/part\d", c.get("file", ""))]
        names = [file.removeprefix("book/") for file in files]
        chapters = [parse(n, (root / "book" / f"{n}.md").read_text(encoding="utf-8")) for n in names]
        if chapters:
            parts.append(Part(part["caption"], chapters))
    return parts


def all_gaps(parts: list[Part], labs: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """{chapter: what it lacks}, complete chapters left out."""
    found, before = {}, []
    for chapter in (c for part in parts for c in part.chapters):
        if wrong := gaps(chapter, before, labs):
            found[chapter.name] = wrong
        before.append(chapter.name)
    return found


def main() -> int:
    from llmlab._finder import LABS

    found = all_gaps(read(Path(__file__).resolve().parents[2]), LABS)
    for name, wrong in found.items():
        print(name, *wrong, sep="\n  ")
    print(f"{len(found)} chapters lack something." if found else "Every chapter has its shape.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
