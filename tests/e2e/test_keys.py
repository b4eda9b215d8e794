"""Changing the key that tokens are encrypted with, while partners stay connected."""

from dataclasses import replace

from sqlalchemy import select

from hub.keys import KEYRING
from hub.models.partners import Partner
from hub.roaming.partners import token_place
from hub.security import Keyring, new_key
from tests.helpers.documents import tariff


async def test_a_new_key_takes_over_without_anybody_noticing(hub, cpo, emsp):
    old = (hub.settings.data_dir / "secret-keys").read_text().strip()
    new = new_key()
    await hub.stop()
    hub.settings = replace(hub.settings, secret_keys=f"{new},{old}")
    await hub.start()

    await hub.run("encrypt anew")

    only_new = Keyring.from_text(new)
    async with hub.database.transaction(hub.tenant_id) as db:
        partners = list(await db.scalars(select(Partner)))
    assert len(partners) == 2
    for partner in partners:
        assert not hub.app[KEYRING].needs_rotation(partner.token_to_send)
        assert only_new.decrypt(partner.token_to_send, context=token_place(partner.id))
    assert (await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))).status_code == 1000
    await hub.deliver()
    assert [push.path for push in emsp.received] == ["tariffs/NL/ONE/T1"]
