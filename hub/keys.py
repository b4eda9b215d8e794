"""Where handlers find what the application opened: ``request.config_dict[DATABASE]``."""

from typing import TYPE_CHECKING

from aiohttp import web

from hub.background import Background
from hub.db import Database
from hub.metrics import Metrics
from hub.roaming.ports import Stations
from hub.roaming.pulls.arrivals import Arrivals
from hub.roaming.settlement.checker import Checker
from hub.roaming.stations.caches import Caches
from hub.roaming.store.intake import Intake
from hub.roaming.store.losses import Losses
from hub.roaming.store.places import Places
from hub.roaming.store.totals import Totals
from hub.security import Keyring
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.ocpi.client import Client
    from hub.ocpi.delivery.sender import Sender
    from hub.ocpi.directory import Directory
    from hub.ocpi.limits import Limits
    from hub.ocpi.outbound import Outbound
    from hub.ocpi.pulls.puller import Puller
    from hub.ocpi.routing.hints import Hints
    from hub.probing import Prober

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
KEYRING: web.AppKey[Keyring] = web.AppKey("keyring", Keyring)
CHECKER: web.AppKey[Checker] = web.AppKey("checker", Checker)
INTAKE: web.AppKey[Intake] = web.AppKey("intake", Intake)
LOSSES: web.AppKey[Losses] = web.AppKey("losses", Losses)
ARRIVALS: web.AppKey[Arrivals] = web.AppKey("arrivals", Arrivals)
# What OCPI may ask of our own stations: the port, whoever is behind it.
STATIONS: "web.AppKey[Stations]" = web.AppKey("port to stations")
CACHES: web.AppKey[Caches] = web.AppKey("caches", Caches)
BACKGROUND: web.AppKey[Background] = web.AppKey("background", Background)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
PLACES: web.AppKey[Places] = web.AppKey("places", Places)
TOTALS: web.AppKey[Totals] = web.AppKey("totals", Totals)
OUTBOUND: "web.AppKey[Outbound]" = web.AppKey("outbound")
CLIENT: "web.AppKey[Client]" = web.AppKey("client")
DIRECTORY: "web.AppKey[Directory]" = web.AppKey("directory")
HINTS: "web.AppKey[Hints]" = web.AppKey("hints")
LIMITS: "web.AppKey[Limits]" = web.AppKey("limits")
SENDER: "web.AppKey[Sender]" = web.AppKey("sender")
PROBER: "web.AppKey[Prober]" = web.AppKey("prober")
PULLER: "web.AppKey[Puller]" = web.AppKey("puller")
