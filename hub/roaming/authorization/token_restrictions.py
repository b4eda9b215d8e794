"""What an operator allows a token of its own: where, when, how often, for how much."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.charging import AuthToken, ChargingSession
from hub.models.objects import Location
from hub.models.stations import ChargingStation
from hub.roaming.merging import Document
from hub.roaming.ports import StationRef

EARTH_RADIUS_KM = 6371.0


async def verdict(db: AsyncSession, ref: StationRef, token: AuthToken) -> tuple[str, bool]:
    """OCPI's AllowedType, and whether only the place was wrong."""
    now = datetime.now(UTC)
    if token.is_blocked or not token.is_active:
        return "BLOCKED", False
    if token.expires_at is not None and token.expires_at <= now:
        return "EXPIRED", False
    restrictions: dict[str, Any] = dict(token.restrictions or {})
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    if not place_allowed(restrictions, station, await place_of(db, station)):
        return "NOT_ALLOWED", True
    if not time_allowed(restrictions.get("time_restriction") or {}, now):
        return "NOT_ALLOWED", False
    if not await usage_allowed(db, token, restrictions.get("usage") or {}, now):
        return "NO_CREDIT", False
    return "ALLOWED", False


async def place_of(db: AsyncSession, station: ChargingStation) -> Document:
    row = (
        await db.execute(
            select(Location.country, Location.state, Location.latitude, Location.longitude).where(
                Location.id == station.location_id
            )
        )
    ).first()
    place: Document = dict(row._mapping) if row is not None else {}  # noqa: SLF001
    if place.get("latitude") is None and station.latitude is not None:
        place |= {"latitude": station.latitude, "longitude": station.longitude}
    return place


def place_allowed(restrictions: Document, station: ChargingStation, place: Document) -> bool:
    stations: Sequence[str] = restrictions.get("allowed_stations") or ()
    groups: Sequence[str] = restrictions.get("allowed_groups") or ()
    if stations or groups:
        configuration: dict[str, Any] = dict(station.configuration or {})
        of = set((configuration.get("network") or {}).get("groups") or ())
        if station.station_id not in stations and not of & set(groups):
            return False
    where: Document = restrictions.get("geographic") or {}
    if (countries := where.get("allowed_countries")) and place.get("country") not in countries:
        return False
    if (regions := where.get("allowed_regions")) and place.get("state") not in regions:
        return False
    return within(where, place)


def within(where: Document, place: Document) -> bool:
    """Whether the place lies in the circle, if there is one."""
    wanted = (where.get("latitude"), where.get("longitude"), where.get("radius_km"))
    if None in wanted:
        return True
    if place.get("latitude") is None or place.get("longitude") is None:
        return False
    north, east, radius = (float(value) for value in wanted if value is not None)
    return distance_km(north, east, float(place["latitude"]), float(place["longitude"])) <= radius


def distance_km(north: float, east: float, other_north: float, other_east: float) -> float:
    """Great circle, on a ball."""
    a, b = math.radians(north), math.radians(other_north)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(other_east - east) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def time_allowed(window: Document, now: datetime) -> bool:
    """Days are named in English, times are local; a window may pass midnight."""
    try:
        local = now.astimezone(ZoneInfo(window.get("timezone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return False
    days = window.get("allowed_days")
    if days and local.strftime("%A").upper() not in days:
        return False
    start, end = window.get("start_time"), window.get("end_time")
    if not start or not end:
        return True
    begins, ends, at = time.fromisoformat(start), time.fromisoformat(end), local.time()
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


async def usage_allowed(
    db: AsyncSession, token: AuthToken, limits: Document, now: datetime
) -> bool:
    """Sessions per day and month, amount per month; counted in UTC."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    for name, since in (("max_sessions_per_day", day), ("max_sessions_per_month", month)):
        if (most := limits.get(name)) is not None:
            count = await db.scalar(sessions_since(token, since, func.count()))
            if (count or 0) >= most:
                return False
    if (most := limits.get("max_amount_per_month")) is not None:
        spent = await db.scalar(sessions_since(token, month, func.sum(ChargingSession.total_cost)))
        if (spent or Decimal(0)) >= Decimal(str(most)):
            return False
    return True


def sessions_since(token: AuthToken, since: datetime, what: Any) -> Any:
    return select(what).where(
        ChargingSession.auth_token_id == token.id, ChargingSession.created_at >= since
    )
