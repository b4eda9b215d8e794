"""OpenAPI documents of everything the hub serves, made from the very rows that serve it.

The OCPI surfaces come from ``ocpi.operations`` and the schemas that check what partners send, the
admin API from its own operations. Nothing is described twice, so nothing can disagree. ``hub
openapi`` writes them to openapi/, the hub shows them at /docs.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from hub.admin.description import describe_admin
from hub.ocpi.description import describe_ocpi
from hub.ocpi.versions import VERSIONS

SURFACES = {"admin": "Admin API"} | {f"ocpi-{number}": f"OCPI {number}" for number in VERSIONS}

HEAD = "# Written by `hub openapi` from the routes and schemas. Do not edit.\n"


def document(surface: str) -> dict[str, Any]:
    """One surface as an OpenAPI 3.1 document."""
    if surface == "admin":
        return describe_admin()
    return describe_ocpi(surface.removeprefix("ocpi-"))


def documents() -> Iterator[tuple[str, str]]:
    """File name and text of each."""
    for surface in SURFACES:
        text = yaml.dump(
            document(surface),
            Dumper=Plain,
            sort_keys=False,
            allow_unicode=True,
            width=100,
        )
        yield f"{surface}.yaml", HEAD + text


class Plain(yaml.CSafeDumper):
    """YAML without anchors (the same thing twice is written twice), long texts line by line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_text(dumper: Plain, text: str) -> yaml.Node:
    # Enumerations are texts that are more than that.
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


Plain.add_representer(str, write_text)
Plain.add_multi_representer(str, write_text)
