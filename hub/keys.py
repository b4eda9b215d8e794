"""Where handlers find what the application opened: ``request.config_dict[DATABASE]``."""

from aiohttp import web

from hub.db import Database
from hub.security import Keyring
from hub.settings import Settings

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
KEYRING: web.AppKey[Keyring] = web.AppKey("keyring", Keyring)
