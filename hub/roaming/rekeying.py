"""Encrypting anew, with the first key, what an older key of the ring encrypted.

An operator puts a new key in front of ``HUB_SECRET_KEYS`` and restarts; a job does the rest. Once
nothing needs the old key any more it can be taken out. Tokens that partners *send* are digests and
cannot be keyed anew: they change when the partner's credentials are renewed.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models import routing
from hub.models.certificates import StationCertificate, key_place
from hub.models.commands import Command
from hub.models.partners import Partner
from hub.roaming.commands import commands
from hub.roaming.network.partners import token_place
from hub.security import Keyring, Undecipherable

# Table and column, and what the encryption of a row is bound to.
SEALED: tuple[tuple[Any, str, Callable[[UUID], str]], ...] = (
    (Partner, "token_to_send", token_place),
    (Partner, "previous_token_to_send", token_place),
    (routing.ResponseRoute, "target_url", routing.url_place),
    (Command, "response_url", commands.url_place),
    (StationCertificate, "private_key", key_place),
)


async def rekey(db: AsyncSession, keyring: Keyring) -> int:
    """Encrypt with the first key what the tenant keeps sealed; how many values it were."""
    count, head = 0, keyring.head
    for table, column, place in SEALED:
        by_older_key = func.substr(getattr(table, column), 1, len(head)) != head
        for row in await db.scalars(select(table).where(by_older_key).with_for_update()):
            try:
                plain = keyring.decrypt(getattr(row, column), context=place(row.id))
            except Undecipherable:
                continue  # its key is not in the ring: calls to this partner say so
            setattr(row, column, keyring.encrypt(plain, context=place(row.id)))
            count += 1
    return count
