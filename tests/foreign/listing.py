"""Runs the listing of docs/PROTOCOL.md, section 10, beside this folder's own decoder.

The page calls its listing pseudocode that can be run: so it is taken out of the page,
and given what it assumes (nodes of a schema, frames taken apart). Absent: the limit of the
state's memory, which the listing leaves out.
"""

import pathlib
import re
import types

import messages
from codec import Malformed
from messages import FORMS
from schema import leaves

RENAMED = {
    "low": "lowest",
    "span": "span",
    "width": "width",
    "code": "code",
    "mean": "mean",
    "max": "max",
    "len": "max",
}
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md"


def compiled(read_frame):
    """The listing's names, by attribute."""
    section = PAGE.read_text(encoding="utf-8").split("\n## 10 ")[1].split("\n## 11 ")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    names = {"read_frame": read_frame}
    exec(compile(code, str(PAGE), "exec"), names)
    return types.SimpleNamespace(**names)


class Listing:
    """A state of the listing, for one schema."""

    def __init__(self, schema):
        page = compiled(self.frame)
        self.malformed = page.Malformed
        tables = [[Node(kind) for _, kind in leaves(fields)] for _, _, fields in schema.tables]
        self.state = page.State(tables)

    def frame(self, message):
        frame = messages.read_frame(message)
        frame.sections = [(scope, FORMS.index(form), chunk) for scope, form, chunk in frame.sections]
        return frame

    def apply(self, message):
        try:
            self.state.apply(message)
        except self.malformed as error:
            raise Malformed(str(error)) from None

    def resume(self):
        self.state.resume()

    def rows(self):
        """By table and slot: generation, scope and values."""
        return [
            {slot: (row.generation, row.scope, plain(row.values)) for slot, row in rows.items()}
            for rows in self.state.rows
        ]


def rows_of(mirror):
    """The same of this folder's mirror."""
    return [
        {slot: (row.generation, row.scope, plain(row.values)) for slot, row in table.rows.items()}
        for table in mirror.tables
    ]


def plain(value):
    """Tuples and lists mean the same."""
    return [plain(of) for of in value] if isinstance(value, (list, tuple)) else value


class Node:
    """A kind under the listing's names. It is a key by identity, as the page demands."""

    def __init__(self, kind):
        self.sort, self.motion, self.ring = kind.sort, kind.motion, kind.ring
        for ours, theirs in RENAMED.items():
            if hasattr(kind, ours):
                setattr(self, theirs, getattr(kind, ours))
        if kind.sort == "float":
            self.size = 4 if kind.repr == "f32" else 8
        self.of = kind.of and Node(kind.of)
        self.fields = nodes(kind.fields)
        self.variants = [(name, nodes(fields)) for name, fields in kind.variants]


def nodes(fields):
    return [(name, Node(kind)) for name, kind in fields]
