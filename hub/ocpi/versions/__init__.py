"""The versions of OCPI that the hub speaks, newest first: the ladder between them.

    base                 what a version does: check, read (upgrade) and write (downgrade) bodies
    v2_3_0               the canonical form
    v2_2_1               its differences from 2.3.0: ``prices_2_2_1``
    v2_1_1               its differences from 2.2.1: ``locations_2_1_1``, ``tariffs_2_1_1``,
                         ``sessions_2_1_1`` (and CDRs)
    members_2_1_1        members that 2.1.1 does not have
    names_2_1_1          ids in it that do not say whose they are
    ownership_2_1_1      whose an object is, which only its URL says
    plain_2_1_1          its characters and moments
    rewriting            changing parts of a document, and copying no more than that

Begin with ``base``. What is valid in a version is in ``hub/ocpi/schemas/``.
"""

from collections.abc import Mapping

from hub.ocpi.versions.base import Document, NotExpressible, Version
from hub.ocpi.versions.v2_1_1 import V2_1_1
from hub.ocpi.versions.v2_2_1 import V2_2_1
from hub.ocpi.versions.v2_3_0 import V2_3_0

VERSIONS: Mapping[str, Version] = {version.number: version for version in (V2_3_0, V2_2_1, V2_1_1)}


def same_since(kind: str, document: Document) -> str:
    """The oldest version in which a document reads the same: it may go out as it lies.

    In a version for two platforms alone nothing does: its objects do not say whose they are.
    """
    oldest = V2_3_0.number
    for number, version in VERSIONS.items():
        if version.peer_to_peer or kind not in version.schemas:
            break
        try:
            if version.downgrade(kind, document) is not document:
                break
        except NotExpressible:
            break
        oldest = number
    return oldest


def is_peer_to_peer(number: str | None) -> bool:
    """Whether partners that speak this version know of no hub between them."""
    return number is not None and number in VERSIONS and VERSIONS[number].peer_to_peer
