"""The part of PromQL that alerts and dashboards are written in: read, and checked for its sense.

``check`` raises ``Wrong`` for what Prometheus would refuse, and for what it would take and never
find: a metric or a label that does not exist, a grouping by a label that is gone by then.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e\d+)?)(?![\w.])|(?P<word>[a-zA-Z_:][\w:]*)"
    r'|(?P<text>"(?:[^"\\]|\\.)*")|(?P<range>\[(?:\d+[smhdw]|\$__rate_interval)\])'
    r"|(?P<sign>==|!=|>=|<=|=~|!~|[-+*/%^(){},=<>]))"
)
# By how tightly they bind.
OPERATORS = (
    {"or"},
    {"and", "unless"},
    {"==", "!=", "<=", "<", ">=", ">"},
    {"+", "-"},
    {"*", "/", "%"},
)
AGGREGATIONS = {"sum", "min", "max", "avg", "count"}
SCALAR, VECTOR, RANGE = "a number", "a vector", "a range"
FUNCTIONS = {
    "rate": (RANGE,),
    "increase": (RANGE,),
    "max_over_time": (RANGE,),
    "histogram_quantile": (SCALAR, VECTOR),
    "time": (),
}
# What Prometheus adds to every series that it fetches.
ADDED = {"job", "instance"}


class Wrong(Exception):
    """What, and of which expression."""


@dataclass(frozen=True)
class Value:
    kind: str
    labels: frozenset[str] = frozenset()


def check(expression: str, metrics: Mapping[str, set[str]]) -> frozenset[str]:
    """The labels of what it finds. ``metrics`` are the labels of every sample by its name."""
    reader = Reader(expression, metrics)
    found = reader.operation(0)
    reader.end()
    return found.labels


class Reader:
    def __init__(self, expression: str, metrics: Mapping[str, set[str]]) -> None:
        self.expression, self.metrics = expression, metrics
        self.tokens = list(self.split())

    def split(self):
        place, text = 0, self.expression.rstrip()
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None:
                raise self.wrong(f"nobody can read {text[place:]!r}")
            place = found.end()
            yield found.lastgroup, found[found.lastgroup]

    def wrong(self, what: str) -> Wrong:
        return Wrong(f"{what}: {self.expression}")

    def next(self) -> str | None:
        return self.tokens[0][1] if self.tokens else None

    def take(self, kind: str | None = None, *, text: str | None = None) -> str:
        if not self.tokens or (kind or self.tokens[0][0], text or self.next()) != self.tokens[0]:
            raise self.wrong(f"{text or kind} is missing before {self.next()!r}")
        return self.tokens.pop(0)[1]

    def end(self) -> None:
        if self.tokens:
            raise self.wrong(f"{self.next()!r} is too much")

    def operation(self, level: int) -> Value:
        if level == len(OPERATORS):
            return self.operand()
        left = self.operation(level + 1)
        while self.next() in OPERATORS[level]:
            self.tokens.pop(0)
            right = self.operation(level + 1)
            if RANGE in {left.kind, right.kind}:
                raise self.wrong("a range cannot be reckoned with")
            left = left if left.kind == VECTOR else right
        return left

    def operand(self) -> Value:
        kind, text = self.tokens[0] if self.tokens else ("nothing", "")
        if kind == "number":
            self.take()
            return Value(SCALAR)
        if text == "(":
            return self.enclosed(lambda: self.operation(0))
        if text in AGGREGATIONS:
            return self.aggregation()
        if text in FUNCTIONS:
            return self.call()
        return self.series()

    def enclosed(self, inside: Callable[[], Value]) -> Value:
        self.take(text="(")
        found = inside()
        self.take(text=")")
        return found

    def aggregation(self) -> Value:
        self.take("word")
        kept = self.names() if self.next() == "by" else set()
        found = self.enclosed(lambda: self.operation(0))
        if found.kind != VECTOR:
            raise self.wrong(f"{found.kind} has nothing to be summed up")
        if gone := kept - found.labels:
            raise self.wrong(f"nothing has the label {', '.join(sorted(gone))}")
        return Value(VECTOR, frozenset(kept))

    def names(self) -> set[str]:
        self.take(text="by")
        self.take(text="(")
        found = {self.take("word")}
        while self.next() == ",":
            self.take()
            found.add(self.take("word"))
        self.take(text=")")
        return found

    def call(self) -> Value:
        name = self.take("word")
        self.take(text="(")
        given = []
        for place, wanted in enumerate(FUNCTIONS[name]):
            if place:
                self.take(text=",")
            given.append(self.operation(0))
            if given[-1].kind != wanted:
                raise self.wrong(f"{name} wants {wanted}, not {given[-1].kind}")
        self.take(text=")")
        if name == "histogram_quantile":
            if "le" not in given[1].labels:
                raise self.wrong("a quantile needs the label le")
            return Value(VECTOR, given[1].labels - {"le"})
        return Value(VECTOR, given[0].labels) if given else Value(SCALAR)

    def series(self) -> Value:
        name = self.take("word")
        if name not in self.metrics:
            raise self.wrong(f"there is no metric {name}")
        labels = frozenset(self.metrics[name] | ADDED)
        if self.next() == "{":
            self.selector(labels)
        if self.tokens and self.tokens[0][0] == "range":
            self.take("range")
            return Value(RANGE, labels)
        return Value(VECTOR, labels)

    def selector(self, labels: frozenset[str]) -> None:
        self.take(text="{")
        while True:
            if (name := self.take("word")) not in labels:
                raise self.wrong(f"nothing has the label {name}")
            if self.take("sign") not in {"=", "!=", "=~", "!~"}:
                raise self.wrong("a label is compared with =, !=, =~ or !~")
            self.take("text")
            if self.next() != ",":
                break
            self.take()
        self.take(text="}")
