"""What goes wrong on the way between a station and the hub, and who tries to make it so."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from ocpp.v16 import call

from hub.ocpp.upkeep import Upkeep
from tests.helpers.charge_points import PASSWORD, basic
from tests.helpers.waiting import until
from tests.ocpp.test_transactions_16 import begin, iso

BOOT = {"chargePointVendor": "V1", "chargePointModel": "M1"}


@asynccontextmanager
async def bare(csms, made, version="1.6", *, password=PASSWORD, **options):
    """A socket that does nothing by itself."""
    async with csms.session.ws_connect(
        csms.url(made.identity),
        protocols=[f"ocpp{version}"],
        headers=basic(made.identity, password),
        **options,
    ) as socket:
        yield socket


async def ask(socket, *call):
    await socket.send_str(json.dumps([2, *call]))
    return json.loads((await socket.receive(10)).data)


def sockets(csms, made):
    attached = csms.wire.registry.stations.get(made.ref.id)
    return len(attached.conversations) if attached else 0


# More than one socket.


async def test_an_impostor_without_the_password_disturbs_nobody(csms):
    """T-46: only who has shown the password is a newcomer at all."""
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.boot()
        for _ in range(5):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                async with bare(csms, made, password="a-guess-that-is-wrong"):
                    pass
        assert sockets(csms, made) == 1
        link = csms.wire.registry.get(made.ref.id).link
        await link.outgoing.call("ClearCache", {})
        # Nor does it use up what the station itself may open.
        async with csms.connect(made) as again:
            await again.boot()


async def test_an_older_socket_that_is_dead_is_dropped(csms):
    """T-46, F-18: a station that lost its network comes back before anybody saw it go."""
    csms.wire.registry.pong_within = 0.2
    made = await csms.add_station()
    async with bare(csms, made, autoping=False) as dead:
        await ask(dead, "1", "BootNotification", BOOT)
        async with csms.connect(made) as station:
            await station.boot()
            await until(lambda: sockets(csms, made) == 1)
            await csms.wire.registry.get(made.ref.id).link.outgoing.call("ClearCache", {})
            assert [action for action, _ in station.asked] == ["ClearCache"]


async def test_of_three_living_sockets_the_oldest_is_closed(csms):
    made = await csms.add_station()
    async with bare(csms, made) as oldest, csms.connect(made) as middle, csms.connect(made):
        assert (await oldest.receive(10)).type is aiohttp.WSMsgType.CLOSE
        assert oldest.close_code == 1000
        await middle.ask(call.Heartbeat())
        await until(lambda: sockets(csms, made) == 2)


async def test_a_station_may_come_back_with_another_version(csms):
    """Its software was changed; what it charges meanwhile is the same transaction."""
    made = await csms.add_station("OCPP_2_1")
    await csms.add_token("TAG1", whitelist="ALWAYS")
    token = {"idToken": "TAG1", "type": "ISO14443"}
    async with csms.connect(made, "2.1") as station:
        await station.boot()
        await station.event(
            "Started", "T-1", 0, iso(-4), id_token=token, evse={"id": 1, "connectorId": 1},
            meter_value=[reading(-4, 1000)],
        )  # fmt: skip
    async with csms.connect(made, "2.0.1") as station:
        await station.boot()
        await station.event(
            "Ended", "T-1", 1, iso(), trigger="EVDeparted", meter_value=[reading(0, 1500)]
        )

    [cdr] = await csms.cdrs()
    assert cdr["total_energy"] == 0.5


def reading(minutes, value):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": value}]}


async def test_message_ids_that_begin_anew_with_a_boot_are_new_messages(csms):
    """They identify nothing beyond one connection: an old answer would bring an old clock."""
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist="ALWAYS")
    begun = {"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": iso(-3)}
    answers = []
    for _ in range(2):
        async with bare(csms, made) as socket:
            answers.append(await ask(socket, "1", "BootNotification", BOOT))
            answers.append(await ask(socket, "2", "StartTransaction", begun))

    [first_boot, first_start, second_boot, second_start] = [answer[2] for answer in answers]
    assert second_boot["currentTime"] > first_boot["currentTime"]
    assert second_start["transactionId"] == first_start["transactionId"]
    assert len(await csms.transactions(made)) == 1


# Sockets that say nothing, and stations that do not read.


async def test_a_half_open_connection_is_found_out_and_its_evse_unknown_F_18(csms):
    """A network that swallows everything: no end is ever told, and no ping answered."""
    csms.wire.ping_interval, csms.wire.grace = 0.2, 0.0
    made = await csms.add_station()
    upkeep = Upkeep(csms.wire)
    async with bare(csms, made, autoping=False) as silent:
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await ask(silent, "1", "StatusNotification", status)
        await csms.shown(made, 1, "AVAILABLE")
        await until(lambda: sockets(csms, made) == 0)
        async with asyncio.timeout(10):
            while await csms.status_of(made, 1) != "UNKNOWN":
                await upkeep.show_absent()
    csms.wire.ping_interval = 60
    async with csms.connect(made) as station:
        await station.boot()
        await csms.shown(made, 1, "AVAILABLE")


async def test_a_station_that_cannot_answer_pings_is_left_alone(csms):
    """Its record says so: what it sent last shows whether it lives."""
    csms.wire.ping_interval = 0.1
    made = await csms.add_station(configuration={"network": {"answers_pings": False}})
    other = await csms.add_station()
    async with bare(csms, made, autoping=False) as mute, bare(csms, other, autoping=False):
        await until(lambda: sockets(csms, other) == 0)
        assert (await ask(mute, "1", "Heartbeat", {}))[0] == 3
        upkeep = Upkeep(csms.wire)
        upkeep.drop_silent()
        assert sockets(csms, made) == 1
        # As if it had said nothing for a quarter of an hour.
        csms.wire.registry.get(made.ref.id).link.last_heard -= csms.wire.longest_silence
        upkeep.drop_silent()
        await until(lambda: sockets(csms, made) == 0)


async def test_a_message_that_swells_when_it_is_unpacked_ends_its_connection_only(csms):
    """194 KB become 200 MB: given up at 256 KiB, whatever would follow."""
    made, innocent = await csms.add_station("OCPP_2_0_1"), await csms.add_station()
    async with csms.connect(innocent) as station:
        async with bare(csms, made, "2.0.1", compress=15) as bomb:
            await bomb.send_str("[" + " " * 50_000_000)
            assert (await bomb.receive(10)).type is aiohttp.WSMsgType.CLOSE
            assert bomb.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        await station.ask(call.Heartbeat())


# Guessing.


async def test_guessing_passwords_is_slow_and_locks_nobody_out(csms):
    """T-45: behind one address may be a hundred stations and one guesser."""
    csms.wire.tarpit = 60
    made = await csms.add_station()

    async def guess():
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            async with bare(csms, made, password="a-guess-that-is-wrong"):
                pass

    for _ in range(60):
        await guess()
    guessing = [asyncio.create_task(guess()) for _ in range(20)]
    async with csms.connect(made) as station:
        await station.boot()
    assert not any(task.done() for task in guessing)
    for task in guessing:
        task.cancel()
    await asyncio.gather(*guessing, return_exceptions=True)


async def test_a_station_that_tries_tokens_learns_nothing_more(csms):
    """T-06 from the other side: no reader is shown thirty cards in a minute."""
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist="ALWAYS")
    async with csms.connect(made) as station:
        for number in range(30):
            answer = await station.ask(call.Authorize(f"GUESS{number}"))
            assert answer.id_tag_info["status"] == "Invalid"
        answer = await station.ask(call.Authorize("TAG1"))
        assert answer.id_tag_info["status"] == "Invalid"
    other = await csms.add_station()
    async with csms.connect(other) as station:
        answer = await station.ask(call.Authorize("TAG1"))
        assert answer.id_tag_info["status"] == "Accepted"


# A storm.

STATIONS = 60


async def test_sixty_stations_come_back_at_once_with_what_they_kept(csms):
    """Each boots, tells its state and a whole session; nothing is refused, nothing billed twice."""
    await csms.add_token("TAG1", whitelist="ALWAYS")
    made = [await csms.add_station() for _ in range(STATIONS)]

    async def come_back(one):
        async with csms.connect(one) as station:
            await station.boot()
            await station.status(1, "Available", iso(-1))
            number, _ = await begin(station, minutes=-14)
            await station.ask(call.MeterValues(1, [old_reading(-9, 1500)], number))
            await station.ask(call.StopTransaction(2000, iso(-4), number))

    await asyncio.gather(*(come_back(one) for one in made))

    cdrs = await csms.cdrs()
    assert [cdr["total_energy"] for cdr in cdrs] == [1] * STATIONS
    assert len({cdr["cdr_location"]["evse_uid"] for cdr in cdrs}) == STATIONS


def old_reading(minutes, value):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": str(value)}]}
