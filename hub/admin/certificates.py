"""Certificates of stations, signed by a small CA of the tenant's own (T-49).

A station asks for its certificate itself, or an operator brings its request here. What a station
holds besides is asked of it with the calls that OCPP has for it.
"""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select

from hub.admin.auth import transaction
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input
from hub.admin.output import PageQuery, Shown, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import one, ref_of
from hub.keys import KEYRING
from hub.models.certificates import StationCertificate
from hub.ocpp import identity, relay
from hub.ocpp.tls import certificates
from hub.ocpp.tls.authority import authority_of

routes = Routes("Certificates")


class CertificateShown(Shown):
    serial_number = fields.String()
    fingerprint = fields.String(metadata={"description": "SHA-256."})
    not_after = fields.AwareDateTime()
    revoked_at = fields.AwareDateTime(allow_none=True)
    pem = fields.String()


class Authority(Schema):
    pem = fields.String()
    fingerprint = fields.String(metadata={"description": "SHA-256."})
    not_after = fields.AwareDateTime()


class SigningRequest(Input):
    csr = fields.String(
        required=True,
        validate=validate.Length(1, 10_000),
        metadata={
            "description": "PEM. Its common name is the station's identity or serial number.",
            "allowed": "a certificate signing request",
        },
    )


class Chain(Schema):
    chain = fields.String(metadata={"description": "The certificate and its CA's, PEM."})


class Revoked(Schema):
    revoked = fields.Integer(metadata={"description": "How many."})


CertificatePage: type[Schema] = page_of(CertificateShown)


@routes.get("/certificate-authority", permission="stations.read", answer=Authority)
async def show_authority(request: web.Request) -> Any:
    """The CA that signs the stations' certificates; made when it is first asked for."""
    async with transaction(request) as db:
        authority = await authority_of(db, request.config_dict[KEYRING])
        return {
            "pem": authority.row.pem,
            "fingerprint": authority.row.fingerprint,
            "not_after": authority.row.not_after,
        }


@routes.get(
    "/stations/{id}/certificates",
    permission="stations.read",
    query=PageQuery,
    answer=CertificatePage,
)
async def list_certificates(request: web.Request) -> Any:
    """The certificates that this hub has signed for a station, newest first."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        found = select(StationCertificate).where(
            StationCertificate.charging_station_id == station.id
        )
        return await page(db, found, StationCertificate, request[QUERY])


@routes.post(
    "/stations/{id}/certificates",
    permission="stations.update",
    body=SigningRequest,
    answer=Chain,
    status=201,
)
async def sign_certificate(request: web.Request) -> Any:
    """Sign a station's request. Its old certificate is good until it has used the new one."""
    async with transaction(request) as db:
        station = await one(db, path_id(request), lock=True)
        record = identity.record_of(station)
        try:
            wanted = certificates.read_request(
                request[BODY]["csr"], record, serial_number=station.serial_number
            )
        except certificates.BadRequest as error:
            raise BadInput(f"csr: It was not signed: {error}.", field="csr") from None
        chain = await certificates.issue(db, request.config_dict[KEYRING], ref_of(station), wanted)
    return {"chain": chain}


@routes.post("/stations/{id}/certificates/revoke", permission="stations.update", answer=Revoked)
async def revoke_certificates(request: web.Request) -> Any:
    """Take back all certificates of a station, and end the connection made with one."""
    async with transaction(request) as db:
        station = await one(db, path_id(request), lock=True)
        count = await certificates.revoke(db, ref_of(station))
        if not count:
            raise Conflict(f"{station.station_id} has no certificate of this hub's.")
        await relay.hang_up(db, ref_of(station))
    return {"revoked": count}
