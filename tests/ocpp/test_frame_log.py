"""The message log: bounded, without secrets also where a frame is cut off, from any process."""

import asyncio
import json

import pytest

from hub.ocpp import frame_log
from hub.ocpp.conversation import registry
from hub.ocpp.conversation.redaction import redact_frame
from hub.ocpp.conversation.registry import LONGEST_FRAME_KEPT, Registry
from hub.ocpp.relay import Relay, hang_up
from hub.ocpp.wire import Wire

LONG = "x" * LONGEST_FRAME_KEPT


@pytest.fixture
async def far(csms):
    """Another process of the same hub."""
    here, there = Relay(csms.wire), Relay(Wire(csms.database, csms.keyring))
    await here.start()
    await there.start()
    await asyncio.gather(here.ready.wait(), there.ready.wait())
    yield there
    await here.stop()
    await there.stop()


async def test_the_log_is_read_from_the_process_that_holds_the_socket(csms, far):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.boot()
        found = await far.frames(made.ref, after=0.0, limit=10)
        later = await far.frames(made.ref, after=found[-1]["at"], limit=10)

    assert [one["direction"] for one in found] == ["in", "out"]
    assert json.loads(found[0]["frame"])[2] == "BootNotification"
    assert later == []


async def test_a_station_is_hung_up_on_by_any_process(csms, far):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.boot()
        async with csms.transaction() as db:
            await hang_up(db, made.ref)
        async with asyncio.timeout(10):
            while csms.wire.registry.get(made.ref.id) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "payload",
    [
        {"idTag": "SECRET-SECRET", "info": LONG},
        {"info": "y", "idToken": {"idToken": "SECRET-SECRET", "type": "Central"}, "more": LONG},
        {"key": "AuthorizationKey", "value": "SECRET-SECRET", "more": LONG},
        {"value": "SECRET-SECRET", "key": "AuthorizationKey", "more": LONG},
        {
            "setVariableData": [
                {
                    "attributeValue": "SECRET-SECRET",
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                }
            ],
            "more": LONG,
        },
        {"connectionData": {"apn": {"simPin": "SECRET"}}, "more": LONG},
    ],
)
def test_a_frame_that_was_cut_off_shows_no_more_than_a_whole_one(payload):
    kept = json.dumps([2, "1", "X", payload])[:LONGEST_FRAME_KEPT]

    assert "SECRET" not in redact_frame(kept).replace("SE***", "")


def test_a_text_that_is_cut_off_inside_a_secret():
    assert "SECRET" not in redact_frame('[2,"1","X",{"idTag":"SECRET-SEC').replace("SE***", "")


def test_the_ring_is_bounded_whatever_stations_send():
    kept = Registry()
    first, second = object(), object()
    for number in range(registry.FRAMES_KEPT + 10):
        kept.trace(first if number % 2 else second, "in", LONG + LONG)

    assert len(kept.frames) == registry.FRAMES_KEPT
    assert len(kept.frames[-1].text) == LONGEST_FRAME_KEPT
    moments = [frame.at for frame in kept.frames]
    assert moments == sorted(set(moments))
    assert len(frame_log.frames(kept, first, after=0.0, limit=5)) == 5
