"""What the cells of the display run show as they run: streams, displayed objects, errors; all bounded."""

from __future__ import annotations

import binascii
import contextlib
import io
from typing import Any

TEXT = 20_000
HTML = 100_000
IMAGE = 2**20
OUTPUTS = 20
TOTAL = 8 * 2**20
CUT = "\n[cut here]"


class Outputs:
    """What one cell shows, bounded; it swallows the rest and never fails."""

    def __init__(self, total: int):
        self.total, self.list, self.left = total, [], {"stdout": TEXT, "stderr": TEXT}
        self.lost = False

    def room(self, size: int) -> bool:
        """True if one more output of that size may be kept."""
        if len(self.list) >= OUTPUTS or size > self.total:
            self.lost = True
            return False
        self.total -= size
        return True

    def write(self, name: str, text: str) -> None:
        left, self.left[name] = self.left[name], self.left[name] - len(text)
        if left <= 0:
            return
        text = text[:left] + (CUT if len(text) > left else "")
        last = self.list[-1] if self.list else {}
        if last.get("name") == name:
            last["text"].append(text)
        elif self.room(len(text)):
            self.list.append({"output_type": "stream", "name": name, "text": [text]})

    def show(
        self, kind: str, data: dict, metadata: dict, mark: str | None = None, count: int | None = None
    ) -> None:
        """Keep a displayed object; with `mark`, in place of the one that was shown under the same mark."""
        kept: dict[str, Any] = {}
        for name, most in (("text/plain", TEXT), ("text/html", HTML), ("text/latex", TEXT)):
            value = data.get(name)
            if isinstance(value, str) and (len(value) <= most or name == "text/plain"):
                kept[name] = value[:most] + (CUT if len(value) > most else "")
        if isinstance(data.get("text/markdown"), str):  # its text, which reads better than the object's name
            kept["text/plain"] = data["text/markdown"][:TEXT]
        image = data.get("image/png")
        if isinstance(image, str) and len(image) <= 2 * IMAGE:
            with contextlib.suppress(ValueError):
                image = binascii.a2b_base64(image)
        if isinstance(image, bytes) and len(image) <= IMAGE:
            kept["image/png"] = image
        elif image is not None:
            kept.setdefault("text/plain", "")
            kept["text/plain"] += f"\n[a picture of more than {IMAGE // 2**20} MiB is not shown]"
        told = metadata.get("image/png") if isinstance(metadata, dict) else None
        alt = told.get("alt") if isinstance(told, dict) else None
        if not kept or not self.room(sum(map(len, kept.values()))):
            return
        made = {
            "output_type": kind,
            "data": kept,
            "alt": alt[:1_000] if isinstance(alt, str) else "",
            "count": count,
            "mark": mark,
        }
        same = [at for at, one in enumerate(self.list) if mark is not None and one.get("mark") == mark]
        if same:
            self.list[same[-1]] = made
        else:
            self.list.append(made)

    def error(self, kind: str, message: str, lines: list[str]) -> None:
        self.list.append(
            {
                "output_type": "error",
                "ename": kind[:200],
                "evalue": message[:2_000],
                "traceback": [line[:2_000] for line in lines[-40:]],
            }
        )

    def take(self) -> list[dict]:
        """The outputs as they cross."""
        if self.lost:
            self.list = self.list[: OUTPUTS + 1]
            self.list.append({"output_type": "stream", "name": "stderr", "text": ["[more outputs were cut]"]})
        for one in self.list:
            one.pop("mark", None)
            if isinstance(one.get("text"), list):
                one["text"] = "".join(one["text"])
        return self.list


class Stream(io.TextIOBase):
    """stdout or stderr of the cell at hand."""

    def __init__(self, name: str):
        self.label = name
        self.page: Outputs | None = None

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.page is not None:
            self.page.write(self.label, text)
        return len(text)
