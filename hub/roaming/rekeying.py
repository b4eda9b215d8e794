"""Encrypting anew, with the first key, what an older key of the ring encrypted.

An operator puts a new key in front of ``HUB_SECRET_KEYS`` and restarts; a job does the rest. Once
nothing needs the old key any more it can be taken out. Tokens that partners *send* are digests and
cannot be keyed anew: they change when the partner's credentials are renewed.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.partners import Partner
from hub.roaming.partners import token_place
from hub.security import Keyring, Undecipherable

COLUMNS = ("token_to_send", "previous_token_to_send")


async def rekey(db: AsyncSession, keyring: Keyring) -> int:
    """Encrypt the tokens to send of the tenant's partners with the first key; how many it were."""
    count = 0
    for partner in await db.scalars(select(Partner).with_for_update()):
        place = token_place(partner.id)
        for column in COLUMNS:
            data = getattr(partner, column)
            if data is None or not keyring.needs_rotation(data):
                continue
            try:
                token = keyring.decrypt(data, context=place)
            except Undecipherable:
                continue  # its key is not in the ring: calls to this partner say so
            setattr(partner, column, keyring.encrypt(token, context=place))
            count += 1
    return count
