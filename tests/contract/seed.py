"""What the seed document of the data model wants, read from its own text: Java with annotations.

Everything it says is one short sentence: ``users.email is text of 255``, ``users unique by
tenant_id, email``. So what is missing has a name, and so has what differs on purpose.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.contract.specification import SHARED

FILE = SHARED / "data-model-seed.txt"

BLOCK = re.compile(r"^```java\n(.*?)^```", re.MULTILINE | re.DOTALL)
TYPE = re.compile(r"public (?:abstract )?(class|enum) (\w+)(?: extends (\w+))? {")
FIELD = re.compile(r"private ([\w<>, ]+) (\w+)(?: = ([^;]+))?;")
INDEX = re.compile(r"^CREATE INDEX CONCURRENTLY (.+?);", re.MULTILINE | re.DOTALL)
ON = re.compile(r"ON (\w+) ?(?:USING GIN )?\((.+?)\)(?: WHERE (.+))?$")
PARTITION = re.compile(r"PARTITION OF (\w+)\nFOR VALUES FROM \('([\d-]+)[^)]*'\) TO \('([\d-]+)")


@dataclass(frozen=True)
class Member:
    """A field: ``notes`` are its annotations."""

    name: str
    type: str
    notes: str
    default: str | None

    @property
    def column(self) -> str:
        named = re.search(r'@(?:Join)?Column\([^)]*?name = "(\w+)"', self.notes)
        return named[1] if named else snake(self.name)


@dataclass
class Kind:
    """A class or an enumeration."""

    name: str
    base: str | None
    notes: str
    members: list[Member] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    @property
    def table(self) -> str | None:
        named = re.search(r'@Table\(name = "(\w+)"', self.notes)
        return named[1] if named else None


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("So_C", "SoC").lower()


def read() -> dict[str, Kind]:
    """Every class and enumeration, by name."""
    found, notes = {}, ""
    for line in lines():
        if line.startswith("@") or notes.count("(") > notes.count(")"):
            notes += f"{line}\n"
        elif opened := TYPE.match(line):
            kind = Kind(opened[2], opened[3], notes)
            found[kind.name], notes = kind, ""
        elif member := FIELD.match(line):
            kind.members.append(Member(member[2], member[1], notes, member[3]))
            notes = ""
        elif value := re.match(r"\w+$", line.rstrip(",")):
            kind.values.append(value[0])
    return found


def lines() -> Iterator[str]:
    for block in BLOCK.findall(FILE.read_text()):
        yield from (re.sub(r" *//.*", "", line).strip() for line in block.splitlines())


def columns(kinds: dict[str, Kind], kind: Kind) -> Iterator[Member]:
    """Fields of an entity that are columns, those of its base first."""
    if kind.base:
        yield from columns(kinds, kinds[kind.base])
    yield from (one for one in kind.members if not re.search("mappedBy|@JoinTable", one.notes))


def statements(kinds: dict[str, Kind]) -> Iterator[str]:
    """Everything that is wanted, a sentence each."""
    entities = [kind for kind in kinds.values() if kind.table]
    for kind in entities:
        for member in columns(kinds, kind):
            yield from of_column(f"{kind.table}.{member.column}", member, kinds)
        yield from of_table(str(kind.table), kind)
    nested = [kind for kind in kinds.values() if kind.members and "@Entity" not in kind.notes]
    for kind in nested:
        if "@MappedSuperclass" not in kind.notes:
            yield from (f"{kind.name} has {snake(member.name)}" for member in kind.members)
    text = FILE.read_text()
    for said in INDEX.findall(text):
        one = ON.search(" ".join(said.split()))
        if one and "{" not in one[1]:
            yield f"{one[1]} index by {one[2]}" + (f" where {one[3]}" if one[3] else "")
    for table, begin, end in PARTITION.findall(text):
        yield f"{table} partitioned by {'month' if begin[:7] != end[:7] else 'day'}"


# What an annotation of a field asks of its column.
ASKED = (
    (r"nullable = false|optional = false|@NotBlank|@Id\b", "is required"),
    (r"@NotBlank", "is not empty"),
    (r"length = (\d+)", "is text of {0}"),
    (r"@Size\(min = (\d+)", "has {0} characters at least"),
    (r"integer = (\d+), fraction = (\d+)", "has {0} digits and {1} decimals"),
    (r"@Min\((\d+)\)", "min {0}"),
    (r"@Max\((\d+)\)", "max {0}"),
    (r"jsonb", "is jsonb"),
)


def of_column(place: str, member: Member, kinds: dict[str, Kind]) -> Iterator[str]:
    notes = member.notes
    yield f"{place} exists"
    for form, sentence in ASKED:
        if found := re.search(form, notes):
            yield f"{place} {sentence.format(*found.groups())}"
    if digits := re.search(r"precision = (\d+), scale = (\d+)", notes):
        yield f"{place} has {int(digits[1]) - int(digits[2])} digits and {digits[2]} decimals"
    if member.type == "LocalDateTime":
        yield f"{place} is a time"
    if "unique = true" in notes:
        yield f"{place.split('.', maxsplit=1)[0]} unique by {member.column}"
    if "@Enumerated" in notes:
        yield from (f"{place} may be {value}" for value in kinds[member.type].values)
    if member.default and "new " not in member.default:
        yield f"{place} is {member.default.removesuffix('L')} unless told"
    if "@JoinColumn" in notes:
        yield f"{place} refers to {member.type}"


def of_table(table: str, kind: Kind) -> Iterator[str]:
    for names in re.findall(r"@UniqueConstraint\(columnNames = \{?(\"[^})]+\")\}?\)", kind.notes):
        yield f"{table} unique by " + ", ".join(re.findall(r"\w+", names))
    for names in re.findall(r'@Index\([^)]*columnList = "([^"]+)"', kind.notes):
        yield f"{table} index by {names}"
    for member in kind.members:
        if join := re.search(r'@JoinTable\(\s*name = "(\w+)"', member.notes):
            for column in re.findall(r'@JoinColumn\(name = "(\w+)"', member.notes):
                yield f"{join[1]}.{column} exists"
        if "mappedBy" in member.notes or "@ManyToMany" in member.notes:
            inner = re.search(r"<(\w+)>", member.type)
            yield f"{inner[1] if inner else member.type} is a table"
