"""Changing the key that tokens are encrypted with, while partners stay connected."""

from dataclasses import replace

from sqlalchemy import select

from hub.models import routing
from hub.models.commands import Command
from hub.models.partners import Partner
from hub.roaming.commands import commands
from hub.roaming.network.partners import token_place
from hub.security import Keyring, new_key
from tests.helpers.commands import command
from tests.helpers.documents import tariff


async def test_a_new_key_takes_over_without_anybody_noticing(hub, cpo, emsp):
    cpo.own["tariffs"], cpo.page_limit = [tariff(id="T1"), tariff(id="T2")], 1
    link = (await emsp.get("tariffs", to=cpo)).headers["Link"].split(">")[0].lstrip("<")
    await emsp.post("commands/START_SESSION", command("START_SESSION", emsp), to=cpo)
    old = (hub.settings.data_dir / "secret-keys").read_text().strip()
    new = new_key()
    await hub.stop()
    hub.settings = replace(hub.settings, secret_keys=f"{new},{old}")
    await hub.start()

    await hub.run("encrypt anew")

    only_new = Keyring.from_text(new)
    async with hub.database.transaction(hub.tenant_id) as db:
        partners = list(await db.scalars(select(Partner)))
        [sent] = await db.scalars(select(Command))
        [route] = await db.scalars(select(routing.ResponseRoute))
    assert only_new.decrypt(sent.response_url, context=commands.url_place(sent.id))
    assert only_new.decrypt(route.target_url, context=routing.url_place(route.id))
    assert [one["id"] for one in (await emsp.get(link)).data] == ["T2"]
    await cpo.send_result(cpo.commands[0])
    assert len(partners) == 2
    for partner in partners:
        assert only_new.decrypt(partner.token_to_send, context=token_place(partner.id))
    assert (await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))).status_code == 1000
    await hub.deliver()
    assert [push.body["result"] for push in emsp.results] == ["ACCEPTED"]
    assert [push.path for push in emsp.received] == ["tariffs/NL/ONE/T1"]
