"""Client-owned objects: the owner pushes, the hub keeps, everybody concerned may read.

What OCPI calls a client-owned object behaves alike in every module and is written once. What only
one module does has a file of its own beside this one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from hub import codec
from hub.errors import InvalidRequest, NotFound
from hub.keys import DATABASE, LOSSES, PLACES, TOTALS
from hub.models.values import Party
from hub.ocpi import paging, translation
from hub.ocpi.endpoints import pushes
from hub.ocpi.envelope import success
from hub.ocpi.paging import Page
from hub.ocpi.request import ANSWERED_BY, AUDIENCE, FROM, OPERATION, PARTNER, VERSION
from hub.ocpi.routing import bodies, kept_objects, ownership
from hub.ocpi.routing.parties import addressee
from hub.ocpi.short_addresses import for_partner
from hub.ocpi.translation import Item
from hub.ocpi.versions.base import Document, NotExpressible
from hub.prepared import Transaction
from hub.roaming.modules import BOOKING_LOCATIONS, MODULES, SESSIONS, Module
from hub.roaming.store import listing
from hub.roaming.store.filters import Filter
from hub.roaming.store.listing import Kept
from hub.roaming.store.losses import Lost, Place
from hub.roaming.store.places import Walk
from hub.roaming.store.writes import Stored, object_ref


async def list_objects(request: web.Request) -> web.Response:
    """GET ALL: everything the caller may see, of all parties, from the hub's own store (HUB-30,
    31).
    """
    module, partner = MODULES[request[OPERATION].kept_as], request[PARTNER]
    page = paging.requested(request)
    if module is SESSIONS and page.date_from is None:
        raise InvalidRequest("date_from is required for a list of sessions.")
    parties = tuple(sorted(partner.parties))
    async with request.config_dict[DATABASE].reading(partner.tenant_id) as db:
        audience = request[AUDIENCE]
        owners = audience.visible_owners(partner, module, await listing.owners(db, module))
        if (named := addressee(request)) is not None:
            owners = [owner for owner in owners if owner == named]
        wanted = Filter(
            tuple(owners),
            receivers=parties if module.private else None,
            withheld=audience.withheld(partner, module, owners),
            viewers=parties,
            date_from=page.date_from,
            date_to=page.date_to,
            late=partner.settings.late_objects,
            timeslot_from=page.timeslot_from if module is BOOKING_LOCATIONS else None,
            timeslot_to=page.timeslot_to if module is BOOKING_LOCATIONS else None,
        )
        found = await read_page(request, db, module, page, wanted)
    return await answer_page(request, module, page, found)


class Found(NamedTuple):
    """A page with one more object behind it, if there is one; and how many there are in all."""

    kept: list[Kept]
    total: int


async def read_page(
    request: web.Request, db: Transaction, module: Module, page: Page, wanted: Filter
) -> Found:
    totals, tenant_id = request.config_dict[TOTALS], request[PARTNER].tenant_id
    walk, places = Walk(tenant_id, module, wanted), request.config_dict[PLACES]
    after = places.before(walk, page.offset) if page.after is None else page.after
    kept = await listing.page(
        db, module, wanted, limit=page.limit + 1, after=after, offset=page.offset
    )
    if page.after is None:
        places.note_page(walk, page.offset, [one.page_seq for one in kept[: page.limit]])
    return Found(kept, await totals.of(db, tenant_id, module, wanted))


async def answer_page(
    request: web.Request, module: Module, page: Page, found: Found
) -> web.Response:
    """To be called outside of a transaction: another version may have to look things up."""
    shown = found.kept[: page.limit]
    more = shown[-1].page_seq if len(found.kept) > page.limit else None
    texts = await written(request, module, shown)
    return success(
        text=f"[{','.join(texts)}]",
        headers=paging.headers(request, page, total=found.total, shown=len(shown), next_after=more),
    )


async def written(request: web.Request, module: Module, shown: Sequence[Kept]) -> list[str]:
    """Objects in the caller's version, without those that it cannot say."""
    version, ready = request[VERSION], [kept.text for kept in shown]
    others = [place for place, kept in enumerate(shown) if kept.same_since > version.number]
    if others:
        said = await said_otherwise(request, module, [shown[place] for place in others])
        for place, text in zip(others, said, strict=True):
            ready[place] = text
    return [for_partner(request[PARTNER], module.kind, text) for text in ready if text]


async def said_otherwise(request: web.Request, module: Module, others: Sequence[Kept]) -> list[str]:
    """Objects that read otherwise in the caller's version; what that cannot say is empty. What they
    lose is noted.
    """
    version, tenant_id = request[VERSION], request[PARTNER].tenant_id
    losses = request.config_dict[LOSSES]
    items = [item_of(module, kept) for kept in others]
    async with request.config_dict[DATABASE].transaction(tenant_id) as db:
        said = await translation.write(db, version, items, reader=request[FROM])
        lost = [
            Lost(Place(module.name, object_ref(kept.key), version.number), one.parts)
            for kept, one in zip(others, said, strict=True)
        ]
        await losses.note(db, tenant_id, losses.news(tenant_id, lost))
    return ["" if one.body is None else codec.write_text(one.body) for one in said]


def item_of(module: Module, kept: Kept) -> Item:
    owner = Party(kept.key.country_code, kept.key.party_id)
    return Item(module.kind, codec.read_stored(kept.text), owner)


async def get_object(request: web.Request) -> web.Response:
    """Receiver GET: the object as the hub keeps it, to its owner and to those who may have it."""
    module = MODULES[request[OPERATION].kept_as]
    kept = await kept_objects.visible(request, module, ownership.url_owner(request))
    return await answer(request, module, kept)


async def find_object(request: web.Request) -> web.Response:
    """Sender GET of one object whose URL names no owner: there must be exactly one (AMB-18)."""
    module = MODULES[request[OPERATION].kept_as]
    kept = await kept_objects.find_visible(request, module, request.match_info["id"])
    return await answer(request, module, kept)


async def answer(request: web.Request, module: Module, kept: Kept) -> web.Response:
    text = kept.text
    if kept.same_since > request[VERSION].number:
        name = f"{module.kind} {kept.object_id}"
        text = codec.write_text(await said(request, item_of(module, kept), name))
    return success(text=for_partner(request[PARTNER], module.kind, text))


async def said(request: web.Request, item: Item, name: str) -> Document:
    """An object in the caller's version; NotFound where that cannot say it."""
    version, document = request[VERSION], item.document
    assert document is not None
    try:
        return await bodies.say(
            request, version, item.kind, document, owner=item.owner, reader=request[FROM]
        )
    except NotExpressible as error:
        number = version.number
        raise NotFound(f"{name} cannot be expressed in OCPI {number}: {error}") from None


async def put_object(request: web.Request) -> web.Response:
    """Keep the object and pass it on to everybody concerned."""
    return kept_answer(request, await pushes.keep_push(request))


patch_object = put_object
delete_object = put_object


def kept_answer(request: web.Request, stored: Stored) -> web.Response:
    module = MODULES[request[OPERATION].kept_as]
    if module.private and stored.receiver is not None:
        request[ANSWERED_BY] = stored.receiver
    return success(http_status=201 if stored.created else 200, message=stored.message)
