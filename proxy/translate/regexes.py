"""POSIX regular expressions, as far as Python's say the same. Manual: 9.7.3.

What is read is a part of PostgreSQL's *advanced regular expressions*: characters, `.`, bracket expressions of ASCII,
`^` and `$`, groups, alternatives, quantifiers. Python tries one way after the other where PostgreSQL follows all at
once: a pattern for which that might take long is Inexact, as is everything else.
"""

from __future__ import annotations

import re
from functools import lru_cache

from proxy.translate.api import Inexact

MAX_PATTERN = 200
MAX_TEXT = 4000
"""Characters of a text that an expression with an unbounded quantifier is tried on."""
_MAX_REPEATS = 20
_BOUND = re.compile(r"\{([0-9]{1,2})(,([0-9]{1,2})?)?\}")
_BRACKET = re.compile(
    r"\[\^?(?:[A-Za-z0-9 _.,:;@#%&/!<>='\"+*?(){}$|~`]|[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9])+-?\]"
)
_RANGE = re.compile(r"([A-Za-z0-9])-([A-Za-z0-9])")


class _Reader:
    """From PostgreSQL's to Python's."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts: list[str] = []
        self.loops = 0
        """Unbounded quantifiers."""
        self._levels: list[bool] = [False]
        """By group around: whether there is a quantifier or an alternative in it."""

    def read(self) -> str:
        text, position, before = self.text, 0, ""
        while position < len(text):
            char = text[position]
            size, atom = 1, "atom"
            if char == "(":
                size = 3 if text.startswith("(?:", position) else 1
                if size == 1 and text.startswith("(?", position):
                    raise Inexact("an option in a regular expression")
                self.parts.append("(?:")
                self._levels.append(False)
                atom = ""
            elif char == ")":
                if len(self._levels) == 1:
                    raise Inexact("a regular expression with a parenthesis that is not opened")
                self.parts.append(")")
                atom = "branched" if self._levels.pop() else "atom"
                self._levels[-1] = self._levels[-1] or atom == "branched"
            elif char == "|":
                self.parts.append("|")
                self._levels[-1] = True
                atom = ""
            elif char in "^$":
                self.parts.append(r"\A" if char == "^" else r"\Z")
                atom = ""
            elif char == ".":
                self.parts.append(".")
            elif char == "[":
                size = self._bracket(position)
            elif char == "\\":
                size = self._escape(position)
            elif char in "*+?{":
                size = self._quantifier(position, before)
                atom = ""
            elif char in "]}":
                raise Inexact("a bracket in a regular expression")
            else:
                self.parts.append(re.escape(char))
            before = atom
            position += size
        if len(self._levels) != 1:
            raise Inexact("a regular expression with a parenthesis that is not closed")
        return "".join(self.parts)

    def _bracket(self, position: int) -> int:
        found = _BRACKET.match(self.text, position)
        if found is None or any(low > high for low, high in _RANGE.findall(found[0])):
            raise Inexact("a bracket expression of a regular expression")
        self.parts.append(found[0])
        return len(found[0])

    def _escape(self, position: int) -> int:
        char = self.text[position + 1 : position + 2]
        if not char or char.isalnum() or not char.isascii():
            raise Inexact("an escape in a regular expression")
        self.parts.append(re.escape(char))
        return 2

    def _quantifier(self, position: int, before: str) -> int:
        if before != "atom":
            raise Inexact("a quantifier of a regular expression behind something else than a plain part")
        text = self.text
        self._levels[-1] = True
        if text[position] == "{":
            found = _BOUND.match(text, position)
            if found is None:
                raise Inexact("a bound of a regular expression")
            least, most = int(found[1]), int(found[3] or found[1])
            if least > most or most > _MAX_REPEATS:
                raise Inexact("a bound of a regular expression")
            self.loops += found[2] == ","
            size = len(found[0])
        else:
            self.loops += text[position] != "?"
            size = 1
        self.parts.append(text[position : position + size])
        if text.startswith("?", position + size):  # a match is a match, short or long
            size += 1
        return size


@lru_cache(maxsize=1024)
def compiled(pattern: str, *, ignore_case: bool) -> tuple[re.Pattern[str], bool]:
    """And whether it has an unbounded quantifier. Inexact where Python's might mean something else."""
    if len(pattern) > MAX_PATTERN or pattern.startswith("***"):
        raise Inexact("a long regular expression, or one of another kind")
    if ignore_case and not pattern.isascii():
        raise Inexact("a regular expression with letters beyond ASCII that ignores case")
    reader = _Reader(pattern)
    made = reader.read()
    if reader.loops > 1:
        raise Inexact("a regular expression with several unbounded quantifiers")
    flags = re.DOTALL | (re.IGNORECASE | re.ASCII if ignore_case else 0)
    return re.compile(made, flags), reader.loops > 0


def matches(value: str, pattern: str, *, ignore_case: bool) -> bool:
    """`~`, `~*`."""
    expression, loops = compiled(pattern, ignore_case=ignore_case)
    if loops and len(value) > MAX_TEXT:
        raise Inexact("a regular expression on a long text")
    return expression.search(value) is not None
