"""A Python peer: ``py-ocpi``, a library for OCPI 2.2.1 on FastAPI, that keeps locations in a dict.

    python -m benchmarks.peer PORT

It promises nothing that the hub promises: no disk, no other partner, no tenant, no check of the
token. It is what one gets from a Python package today, on the same machine in the same minute.
"""

import importlib
import importlib.util
import sys
from typing import Any

NAMES = ("py_ocpi", "uvicorn")
PUT_PATH = "/ocpi/emsp/2.2.1/locations/NL/ONE"
LIST_PATH = "/ocpi/cpo/2.2.1/locations/"


def found() -> bool:
    return all(importlib.util.find_spec(name) for name in NAMES)


class Memory:
    """What the library calls a Crud."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def get(self, module: Any, role: Any, id: str, *args: Any, **more: Any) -> Any:  # noqa: A002
        return self.kept.get(id)

    async def list(self, module: Any, role: Any, filters: Any, *args: Any, **more: Any) -> Any:
        start, limit = filters["offset"], filters["limit"]
        found = list(self.kept.values())[start : start + limit]
        return found, len(self.kept), start + limit >= len(self.kept)

    async def create(self, module: Any, role: Any, data: Any, *args: Any, **more: Any) -> Any:
        self.kept[data["id"]] = data
        return data

    async def update(
        self,
        module: Any,
        role: Any,
        data: Any,
        id: str,  # noqa: A002
        *args: Any,
        **more: Any,
    ) -> Any:
        self.kept[id] = data
        return data


class Adapter:
    def location_adapter(self, data: Any, *args: Any) -> Any:
        schemas: Any = importlib.import_module("py_ocpi.modules.locations.v_2_2_1.schemas")
        return schemas.Location(**data)


def main() -> None:
    uvicorn: Any = importlib.import_module("uvicorn")
    ocpi: Any = importlib.import_module("py_ocpi.main")
    enums: Any = importlib.import_module("py_ocpi.core.enums")
    numbers: Any = importlib.import_module("py_ocpi.modules.versions.enums")
    app = ocpi.get_application(
        [numbers.VersionNumber.v_2_2_1],
        [enums.RoleEnum.cpo, enums.RoleEnum.emsp],
        Memory(),
        Adapter(),
    )
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
