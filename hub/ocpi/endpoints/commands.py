"""Commands. What is particular to them is whom they are for; the rest is ``forward``."""

from aiohttp import web

from hub.ocpi import callbacks, forward
from hub.ocpi.owners import owner_of


async def post_command(request: web.Request) -> web.Response:
    """Send a command to a CPO. Its result comes to the ``response_url`` that the body names.

    Without a receiver in the headers it goes to the CPO whose location, session or reservation it
    is about.
    """
    question = await callbacks.read(request)
    return await forward.forward(request, await owner_of(request, question.document))
