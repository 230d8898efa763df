"""A small reader of typst's templates: what of them is text that a reader of the paper sees, and what is code."""

from __future__ import annotations

import re

STATEMENTS = ("let", "set", "show", "import", "include", "for", "while", "if", "return", "context")
CITATION = re.compile(r"@[\w-]+|<[\w-]+>|`[^`]*`")


class _Reader:
    """Walk through a template: ``markup`` collects text, ``code`` passes over it but for strings and content."""

    def __init__(self, source: str) -> None:
        self.source = re.sub(r"(?<![:\"])//[^\n]*", "", source)
        self.at = 0
        self.found: list[str] = []

    def markup(self, end: str | None) -> None:
        """Collect text up to the closing bracket, or to the end of the file."""
        start = self.at
        while self.at < len(self.source) and self.source[self.at] != end:
            sign = self.source[self.at]
            if sign in "#$":
                self.keep(start)
                self.at += 1
                if sign == "#":
                    self.expression()
                else:
                    self.at = self.source.index("$", self.at) + 1  # a formula is no finding
                start = self.at
            elif sign == "[":  # brackets in text, which typst pairs
                self.at += 1
                self.markup("]")
            else:
                self.at += 1
        self.keep(start)
        self.at += 1

    def keep(self, start: int) -> None:
        """Note a piece of text, without citations, labels and raw words."""
        self.found.append(CITATION.sub("", self.source[start : self.at]))

    def expression(self) -> None:
        """Pass over what a # begins: a statement up to the end of its line, or a name with what is joined to it."""
        word = re.compile(r"[\w.-]+").match(self.source, self.at)
        if word and word[0] in STATEMENTS:
            self.code(until="\n")
            return
        self.at = word.end() if word else self.at
        while self.at < len(self.source) and self.source[self.at] in "([{":
            self.group()
            follows = re.compile(r"\.[a-zA-Z][\w.-]*").match(self.source, self.at)
            self.at = follows.end() if follows else self.at

    def group(self) -> None:
        """Pass over brackets: round and curly ones hold code, square ones text."""
        opening = self.source[self.at]
        self.at += 1
        if opening == "[":
            self.markup("]")
        else:
            self.code(until={"(": ")", "{": "}"}[opening])

    def code(self, until: str) -> None:
        """Pass over code up to a sign, into strings and brackets; a statement in text ends with that text at last."""
        while self.at < len(self.source) and self.source[self.at] != until:
            sign = self.source[self.at]
            if until == "\n" and sign in ")]}":
                return
            if sign == '"':
                string = re.compile(r'"((?:[^"\\]|\\.)*)"').match(self.source, self.at)
                assert string is not None
                if re.search(r"[^\W\d]{3,}\s|\s[^\W\d]{3,}", string[1]):  # words, not a format or a pattern
                    self.found.append(string[1])
                self.at = string.end()
            elif sign in "([{":
                self.group()
            else:
                self.at += 1
        self.at += 1


def texts(source: str) -> list[str]:
    """Return the pieces of text of a template: markup and strings of words, neither code nor formulas nor citations."""
    reader = _Reader(source)
    reader.markup(None)
    return [piece for piece in reader.found if piece.strip()]
