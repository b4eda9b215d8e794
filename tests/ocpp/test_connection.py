"""Who gets a connection, over which version, and what happens when several want one."""

import asyncio
import json
import time
from uuid import uuid4

import aiohttp
import pytest
from ocpp.exceptions import SecurityError
from ocpp.v16 import call
from sqlalchemy import func, select, update

from hub.models.stations import ChargingStation
from hub.ocpp import gate, server
from hub.ocpp.conversation.frames import OCPPVersion
from hub.ocpp.identity import chosen_version
from hub.roaming.stations import stations
from tests.helpers.charge_points import PASSWORD, basic

V16, V201, V21 = OCPPVersion
RECORDS = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}


def upgrade(headers=None, protocol="ocpp1.6"):
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": protocol,
        **(headers or {}),
    }


async def refused(csms, path, headers=None):
    """Status, body and headers of a handshake that is refused, without what is different anyway."""
    url = csms.url("x").with_path(f"/ocpp/{path}", encoded=True)
    async with csms.session.get(url, headers=upgrade(headers)) as response:
        kept = {key: value for key, value in response.headers.items() if key != "Date"}
        return response.status, await response.text(), kept


async def count_stations(csms):
    async with csms.transaction() as db:
        return await db.scalar(select(func.count()).select_from(ChargingStation))


async def test_unknown_stations_and_wrong_passwords_cannot_be_told_apart(csms):
    """T-44: eight variants, one answer, no WebSocket, and no row."""
    made = await csms.add_station()
    before = await count_stations(csms)
    variants = [
        (made.identity, basic(made.identity, "wrong-password-123")),
        (made.identity, {}),
        (made.identity, {"Authorization": "Basic !!!"}),
        (made.identity, {"Authorization": "Bearer x"}),
        (made.identity, basic(made.identity, "")),
        (made.identity, basic("somebody-else", PASSWORD)),
        ("CP-unknown", basic("CP-unknown", PASSWORD)),
        ("CP-unknown", {}),
    ]

    answers = [await refused(csms, path, headers) for path, headers in variants]

    assert [answer[0] for answer in answers] == [401] * 8
    assert all(answer == answers[0] for answer in answers)
    assert await count_stations(csms) == before


@pytest.mark.parametrize(
    "path", ["%2e%2e%2fetc", "a%00b", "a%0d%0ab", "x" * 49, "a:b", "%F0%9F%98%80", "a%20b", "..;"]
)
async def test_what_can_be_no_identity_is_not_found_and_never_looked_up(csms, path):
    status, _, _ = await refused(csms, path, basic("a", PASSWORD))
    assert status == 404


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("plain text: with colons", b"plain text: with colons"),
        ("00ff10a0" * 5, bytes.fromhex("00ff10a0" * 5)),
        ("00FF10A0" * 5, bytes.fromhex("00ff10a0" * 5)),
        ("00ff10a0" * 5, b"00ff10a0" * 5),
        ("sixteen-letters!", b"sixteen-letters!".hex().encode()),
    ],
)
async def test_a_password_is_accepted_in_every_form_of_the_field(csms, stored, sent):
    made = await csms.add_station()
    async with csms.transaction() as db:
        await db.execute(
            update(ChargingStation).values(password_digest=csms.keyring.digest(stored))
        )
    async with csms.connect(made, password=sent) as station:
        assert (await station.boot()).status == "Accepted"


async def test_the_old_password_is_good_until_the_new_one_is_used(csms):
    """A01: an answer that is lost locks nobody out."""
    made = await csms.add_station()
    new = "another-password-5678"
    async with csms.transaction() as db:
        await stations.password_offered(db, made.ref, csms.keyring.digest(new))

    async with csms.connect(made, password=PASSWORD) as station:
        await station.boot()
    async with csms.connect(made, password=new) as station:
        await station.boot()
    status, _, _ = await refused(csms, made.identity, basic(made.identity, PASSWORD))
    assert status == 401


async def test_a_new_password_that_was_refused_is_worth_nothing(csms):
    made = await csms.add_station()
    async with csms.transaction() as db:
        await stations.password_offered(db, made.ref, csms.keyring.digest("refused-password"))
        await stations.password_offered(db, made.ref, None)

    status, _, _ = await refused(csms, made.identity, basic(made.identity, "refused-password"))
    assert status == 401


async def test_a_station_pinned_to_tls_is_refused_without_it(csms):
    """T-48: no downgrade of the security profile."""
    made = await csms.add_station(security_profile=2)
    status, _, _ = await refused(csms, made.identity, basic(made.identity, PASSWORD))
    assert status == 401


async def test_outside_a_trusted_network_nobody_comes_in_without_tls(csms):
    made = await csms.add_station()
    csms.wire.trusted_network = False
    status, _, _ = await refused(csms, made.identity, basic(made.identity, PASSWORD))
    assert status == 401


@pytest.mark.parametrize(
    ("offered", "allowed", "chosen"),
    [
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], [V21, V201], V21),
        (["ocpp2.0.1", "ocpp2.1"], [V21, V201], V201),
        (["ocpp2.1", "ocpp1.6"], [V16], V16),
        ([" ocpp1.6 "], [V16], V16),
        (["ocpp1.5", ""], [V16, V201, V21], None),
    ],
)
def test_the_first_version_of_the_station_that_its_record_allows(offered, allowed, chosen):
    assert chosen_version(offered, allowed) is chosen


async def test_without_a_common_version_the_handshake_is_completed_and_closed(csms):
    made = await csms.add_station("OCPP_2_0_1")
    async with csms.session.ws_connect(
        csms.url(made.identity), protocols=["ocpp1.6"], headers=basic(made.identity, PASSWORD)
    ) as socket:
        assert socket.protocol is None
        assert (await socket.receive(5)).type is aiohttp.WSMsgType.CLOSE


async def test_compression_is_offered_to_2_x_only(csms):
    for version, record in (("1.6", "OCPP_1_6"), ("2.0.1", "OCPP_2_0_1")):
        made = await csms.add_station(record)
        async with csms.session.ws_connect(
            csms.url(made.identity),
            protocols=[f"ocpp{version}"],
            headers=basic(made.identity, PASSWORD),
            compress=15,
        ) as socket:
            assert bool(socket.compress) is (version != "1.6")


async def test_the_same_identity_in_two_tenants_never_meets(csms, make_tenant):
    """T-51: the password says which is meant, or the tenant in the path."""
    domain = f"t-{uuid4().hex[:8]}"
    other_side = type(csms)(csms.database, await make_tenant(domain=domain))
    other_side.keyring = csms.keyring
    identity = f"CP-{uuid4().hex[:8]}"
    one = await csms.add_station(identity=identity)
    other = await other_side.add_station(identity=identity)

    # The same password in both: nobody can say which station this is.
    status, _, _ = await refused(csms, identity, basic(identity, PASSWORD))
    assert status == 401
    async with csms.connect(other, url=csms.url(f"{domain}/{identity}")) as station:
        await station.boot()
        assert csms.wire.registry.get(other.ref.id) is not None
        assert csms.wire.registry.get(one.ref.id) is None


async def test_a_common_identity_is_found_among_those_of_many_tenants(csms, make_tenant):
    """T-51: everybody's first station is called alike."""
    identity = f"CP-{uuid4().hex[:8]}"
    own = None
    for number in range(25):
        side = csms if number == 12 else type(csms)(csms.database, await make_tenant())
        side.keyring = csms.keyring
        made = await side.add_station(identity=identity)
        digest = csms.keyring.digest(f"{PASSWORD}{number}")
        async with side.transaction() as db:
            await db.execute(update(ChargingStation).values(password_digest=digest))
        own = made if side is csms else own
    password = f"{PASSWORD}12"

    async with csms.session.ws_connect(
        csms.url(identity), protocols=["ocpp1.6"], headers=basic(identity, password)
    ):
        assert csms.wire.registry.get(own.ref.id) is not None


async def test_a_second_living_socket_is_the_new_target_and_the_first_stays_readable(csms):
    """T-46: closing the older of two living sockets makes some stations reconnect for ever."""
    made = await csms.add_station()
    async with csms.connect(made) as first:
        await first.boot()
        async with csms.connect(made) as second:
            await second.boot()
            assert (await first.ask(call.Heartbeat())).current_time
            link = csms.wire.registry.get(made.ref.id).link
            await link.outgoing.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
            assert [action for action, _ in second.asked] == ["TriggerMessage"]
            assert first.asked == []
    assert csms.wire.registry.get(made.ref.id) is None or await gone(csms, made)


async def gone(csms, made):
    async with asyncio.timeout(5):
        while csms.wire.registry.get(made.ref.id) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return True


async def test_a_station_that_keeps_opening_sockets_is_told_to_wait(csms):
    made = await csms.add_station()
    async with csms.connect(made), csms.connect(made), csms.connect(made):
        async with csms.connect(made):
            pass
        status, _, headers = await refused(csms, made.identity, basic(made.identity, PASSWORD))
    assert (status, headers["Retry-After"]) == (503, "60")


async def test_an_answer_on_the_other_socket_counts_nothing(csms):
    made = await csms.add_station()

    def raw():
        return csms.session.ws_connect(
            csms.url(made.identity),
            protocols=["ocpp1.6"],
            headers=basic(made.identity, PASSWORD),
        )

    async with raw() as first, raw() as second:
        await second.send_str('[2,"1","Heartbeat",{}]')
        await second.receive(5)
        link = csms.wire.registry.get(made.ref.id).link
        calling = asyncio.create_task(link.outgoing.call("ClearCache", {}, timeout=2))
        message = json.loads((await second.receive(5)).data)
        await first.send_str(json.dumps([3, message[1], {"status": "Accepted"}]))
        await first.send_str('[2,"2","Heartbeat",{}]')
        await first.receive(5)
        assert not calling.done()
        await second.send_str(json.dumps([3, message[1], {"status": "Rejected"}]))
        assert await calling == {"status": "Rejected"}


async def test_a_pending_station_may_only_boot(csms):
    """Errata J1.6 3.8: SecurityError until it is accepted."""
    made = await csms.add_station(status="INACTIVE")
    async with csms.connect(made) as station:
        assert (await station.boot()).status == "Pending"
        with pytest.raises(SecurityError):
            await station.ask(call.Heartbeat())


async def test_a_decommissioned_station_is_rejected(csms):
    made = await csms.add_station(status="DECOMMISSIONED")
    async with csms.connect(made) as station:
        assert (await station.boot()).status == "Rejected"


async def test_on_shutdown_stations_are_told_to_come_back(csms):
    made = await csms.add_station()
    async with csms.session.ws_connect(
        csms.url(made.identity), protocols=["ocpp1.6"], headers=basic(made.identity, PASSWORD)
    ) as socket:
        await socket.send_str('[2,"1","Heartbeat",{}]')
        await socket.receive(5)
        closing = asyncio.create_task(csms.wire.registry.close())
        await socket.receive(5)
        assert socket.close_code == 1001
        await closing
        status, _, _ = await refused(csms, made.identity, basic(made.identity, PASSWORD))
        assert status == 503


async def test_provisioning_asks_one_thing_at_a_time_after_the_boot(csms):
    csms.wire.provisioning = True
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.boot()
        async with asyncio.timeout(10):
            while station.asked[-1:] != [  # noqa: ASYNC110
                ("TriggerMessage", {"requested_message": "StatusNotification"})
            ]:
                await asyncio.sleep(0.02)

    set_to = {
        p["key"]: p["value"] for action, p in station.asked if action == "ChangeConfiguration"
    }
    assert set_to["MeterValueSampleInterval"] == "60"
    assert set_to["MeterValuesSampledData"].startswith("Energy.Active.Import.Register")
    assert station.asked[0][0] == "GetConfiguration"


@pytest.mark.parametrize("version", RECORDS)
async def test_a_station_that_comes_back_without_a_boot_is_asked_for_its_states(csms, version):
    """J1.6 wants no boot for a mere reconnect, and what changed meanwhile nobody has told."""
    csms.wire.provisioning, csms.wire.patience_for_boot = True, 0.05
    made = await csms.add_station(RECORDS[version])
    async with csms.connect(made, version) as station, asyncio.timeout(10):
        while not station.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    [(action, payload), *_] = station.asked
    assert (action, payload["requested_message"]) == ("TriggerMessage", "StatusNotification")


async def test_while_a_crowd_waits_for_the_database_nobody_else_is_let_in(csms):
    """F-17: whoever came first gets through with all that it kept; the others are told to wait."""
    made = await csms.add_station()
    go = asyncio.Event()

    async def work():
        async with csms.wire.database.platform():
            await go.wait()

    crowd = [asyncio.create_task(work()) for _ in range(gate.CROWD + 20)]
    await asyncio.sleep(0)
    csms.wire.gate.turn_within = 0.1
    status, _, headers = await refused(csms, made.identity, basic(made.identity, PASSWORD))
    assert (status, headers["Retry-After"]) == (503, "30")
    csms.wire.gate.turn_within = gate.TURN_DEADLINE
    calling = asyncio.create_task(
        csms.session.ws_connect(
            csms.url(made.identity), protocols=["ocpp1.6"], headers=basic(made.identity, PASSWORD)
        )
    )
    done, _ = await asyncio.wait([calling], timeout=0.2)
    assert not done
    go.set()

    websocket = await calling
    await asyncio.gather(*crowd)
    assert websocket.protocol == "ocpp1.6"
    await websocket.close()


async def test_who_hangs_up_in_line_gives_the_turn_back_T_45(csms):
    line, pace = gate.Gate(), gate.pace_of_port()
    async with line.line:
        crowd = [asyncio.create_task(line.take_turn(csms.database, pace)) for _ in range(2000)]
        await asyncio.sleep(0)
        assert pace.at > time.monotonic() + 1
        for one in crowd:
            one.cancel()
        await asyncio.wait(crowd)

    assert pace.wait(time.monotonic()) == 0


async def test_little_is_read_of_one_station_before_others_have_their_turn(csms):
    """Else twenty that flood have their messages taken apart for a tenth of a second in one go."""
    made = await csms.add_station()
    async with csms.connect(made):
        link = csms.wire.registry.get(made.ref.id).link

        assert link.transport.max_size == server.READ_AT_ONCE
