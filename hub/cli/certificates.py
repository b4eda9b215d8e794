"""``hub certificate``: certificates of stations, and those that they trust."""

from pathlib import Path
from typing import Any

from hub.cli import naming_stations, options, station_calls, station_words
from hub.cli.failures import NotFound, Usage
from hub.cli.naming_stations import named, path
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, lines, note, table, when, write_json
from hub.cli.station_words import TAKEN, is_16

USES_16 = ("CentralSystemRootCertificate", "ManufacturerRootCertificate")
USES_2X = (
    "CSMSRootCertificate",
    "ManufacturerRootCertificate",
    "MORootCertificate",
    "V2GRootCertificate",
)


def add(commands: Commands) -> None:
    certificates = options.group(commands, "certificate", "certificates of your own stations")

    options.command(
        certificates, "ca", authority, "The CA that signs the stations' certificates, as PEM."
    )
    for name, run, about in (
        ("list", list_, "What this hub has signed for a station, newest first."),
        ("sign", sign, "Sign a station's request; prints the chain as PEM."),
        ("renew", renew, "Have a station ask for a new certificate; it gets it at once."),
        ("revoke", revoke, "Take back all certificates of a station, and end its connection."),
        ("installed", installed, "Ask a station which certificates it holds."),
        ("install", install, "Have a station trust a CA."),
        ("delete", delete, "Have a station forget a certificate."),
    ):
        parser = options.command(certificates, name, run, about)
        named(parser)
        if name == "list":
            options.limited(parser)
        elif name == "sign":
            parser.add_argument("request", type=Path, help="a file with the CSR, PEM")
        elif name == "revoke":
            parser.add_argument("--yes", action="store_true", help="do not ask")
        elif name == "install":
            parser.add_argument("file", type=Path, help="the certificate, PEM")
            parser.add_argument("--use", choices=sorted({*USES_16, *USES_2X}), help="(CSMS root)")
        elif name == "delete":
            parser.add_argument("serial", help="its serial number, as `installed` shows it")
        if name in {"installed", "install", "delete", "renew"}:
            station_calls.timed(parser)


def authority(arguments: Arguments) -> None:
    found = hub(arguments).get("/certificate-authority")
    if arguments.json:
        write_json(found)
    else:
        lines(found["pem"].rstrip("\n"))


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(path(arguments, "/certificates"), limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("SERIAL", "serial_number"),
            ("SHA-256", "fingerprint"),
            ("SIGNED", lambda row: when(row["created_at"])),
            ("UNTIL", "not_after"),
            ("REVOKED", lambda row: row["revoked_at"] and when(row["revoked_at"])),
        ],
        empty="This hub has signed nothing for it.",
    )


def sign(arguments: Arguments) -> None:
    request = read(arguments.request)
    made = hub(arguments).post(path(arguments, "/certificates"), {"csr": request})
    if arguments.json:
        write_json(made)
        return
    lines(made["chain"].rstrip("\n"))
    note("The station may use it from now on; its old one is good until it does.")


def read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}.", field="file") from None
    except UnicodeDecodeError:
        raise Usage(f"{file} is not PEM.", field="file") from None


def revoke(arguments: Arguments) -> None:
    where = path(arguments, "/certificates/revoke")
    options.confirm(arguments, f"Take back all certificates of {arguments.station}?")
    told = hub(arguments).post(where)
    if arguments.json:
        write_json(told)
    else:
        facts([("Revoked", told["revoked"])])


def ask(arguments: Arguments, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    return station_calls.ask(arguments, naming_stations.find(arguments), action, payload)


def questions(arguments: Arguments) -> list[dict[str, Any]]:
    """1.6 wants to be asked for each use by itself."""
    station = station_calls.station_of(arguments)
    if is_16(station["ocpp_version"]):
        return [{"certificateType": use} for use in USES_16]
    return [{}]


def renew(arguments: Arguments) -> int:
    station = station_calls.station_of(arguments)
    version = station["ocpp_version"] or station["ocpp_versions"][-1]
    asked = ask(arguments, *station_words.renew_certificate(version))
    return station_calls.answer(arguments, asked, done=TAKEN)


def held(arguments: Arguments) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The certificates it says it has, and the first answer that was none."""
    found: list[dict[str, Any]] = []
    for question in questions(arguments):
        asked = ask(arguments, "GetInstalledCertificateIds", question)
        if asked["state"] != "ANSWERED":
            return found, asked
        result = asked["result"]
        found += [
            {**one, "use": question.get("certificateType")}
            for one in result.get("certificateHashData") or []
        ]
        found += [
            {**one["certificateHashData"], "use": one["certificateType"]}
            for one in result.get("certificateHashDataChain") or []
        ]
    return found, None


def installed(arguments: Arguments) -> int:
    found, failed = held(arguments)
    if failed is not None:
        return station_calls.answer(arguments, failed)
    if arguments.json:
        write_json({"items": found})
        return 0
    table(
        found,
        [
            ("SERIAL", "serialNumber"),
            ("USE", "use"),
            ("ISSUER HASH", "issuerNameHash"),
            ("KEY HASH", "issuerKeyHash"),
        ],
        empty="It holds none.",
    )
    return 0


def install(arguments: Arguments) -> int:
    station = station_calls.station_of(arguments)
    uses = USES_16 if is_16(station["ocpp_version"]) else USES_2X
    use = arguments.use or uses[0]
    if use not in uses:
        raise Usage(f"--use: Not in its version: {use}.", field="--use", allowed=list(uses))
    payload = {"certificateType": use, "certificate": read(arguments.file)}
    asked = ask(arguments, "InstallCertificate", payload)
    return station_calls.answer(arguments, asked, done=TAKEN)


def delete(arguments: Arguments) -> int:
    found, failed = held(arguments)
    if failed is not None:
        return station_calls.answer(arguments, failed)
    wanted = [one for one in found if one["serialNumber"].lower() == arguments.serial.lower()]
    if not wanted:
        raise NotFound(
            f"It holds no certificate {arguments.serial}.",
            next_step=f"hub certificate installed {arguments.station}",
        )
    hashes = {name: value for name, value in wanted[0].items() if name != "use"}
    asked = ask(arguments, "DeleteCertificate", {"certificateHashData": hashes})
    return station_calls.answer(arguments, asked, done=TAKEN)
