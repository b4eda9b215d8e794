"""One request at a time or many: writing, reading pages, forwarding."""

import statistics
from urllib.parse import urlencode, urlsplit

import requests

from benchmarks import documents, peer
from benchmarks.load import Load, LoadFailed, filled
from benchmarks.network import Platform
from benchmarks.report import Row
from benchmarks.rounds import Bench, rate, ratio

RECEIVER = "/ocpi/2.2.1/receiver"
LOCATIONS = "/ocpi/2.2.1/sender/locations"
PAGE = 100
# The limits say "at least 400 pages a second" of a machine whose bare server does 5,000.
PAGE_AIM = 400 / 5000
DEEP_AIM = 1.5
ADDED_AIM = 0.002
# The hub lets one partner read eight lists at a time, and those of the round before may still be
# under way.
LISTS_AT_ONCE = 4


def writes(bench: Bench, cpo: Platform) -> list[Row]:
    put_known = Load(
        "PUT",
        f"{RECEIVER}/locations/NL/ONE/L@i@",
        cpo.headers,
        documents.text(documents.changed_location()),
        ids=bench.size.known,
    )
    # What lies in the database was not pushed: a first round makes it what the hub would write.
    bench.once(put_known, bench.servers.hub)
    put_new = Load(
        "PUT",
        f"{RECEIVER}/locations/NL/ONE/N@n@",
        cpo.headers,
        documents.text(documents.new_location()),
    )
    patch = Load(
        "PATCH",
        f"{RECEIVER}/locations/NL/ONE/L@i@/L@i@-2",
        cpo.headers,
        documents.text(documents.status()),
        ids=bench.size.known,
    )
    cdr = Load("POST", f"{RECEIVER}/cdrs", cpo.headers, documents.text(documents.cdr()))
    return [
        write(bench, "PUT of a location that changed (4 KB)", put_known, 0.25, with_peer=True),
        write(bench, "PUT of a new location (4 KB)", put_new, 0.25),
        write(bench, "PATCH of an EVSE's status", patch, 0.30),
        write(bench, "POST of a CDR", cdr, 0.30),
    ]


def write(bench: Bench, what: str, load: Load, aim: float, *, with_peer: bool = False) -> Row:
    servers = bench.servers
    check(bench, load)
    loads = {
        "bare": (load, servers.bare),
        "least": (load, servers.least),
        "hub": (load, servers.hub),
    }
    if with_peer and servers.peer:
        path = f"{peer.PUT_PATH}/L@i@"
        loads["peer"] = (
            Load(load.method, path, load.headers, load.body, ids=load.ids),
            servers.peer,
        )
    before = bench.places()
    results = bench.in_turn(loads)
    accepted = sum(result.requests for result in results["hub"])
    if bench.places() - before < accepted:
        raise LoadFailed(f"{what}: the hub answered {accepted} requests and kept fewer changes")
    found = ratio(results["hub"], results["bare"])
    return Row(
        what,
        rate(results["hub"]),
        rate(results["bare"]),
        found,
        f"≥ {aim:.2f}",
        found >= aim,
        least=rate(results["least"]),
        peer=rate(results["peer"]) if "peer" in results else None,
    )


def check(bench: Bench, load: Load) -> None:
    """One request by itself, for OCPI's status as well: the clients look at HTTP's only."""
    n = bench.n = load.round_after(bench.n)
    answer = requests.request(
        load.method,
        f"http://127.0.0.1:{bench.servers.hub}{filled(load, load.path, n)}",
        headers=dict(load.headers),
        data=filled(load, load.body, n),
        timeout=30,
    )
    if not answer.ok or answer.json()["status_code"] != 1000:
        raise LoadFailed(f"{load.method} {load.path}: {answer.status_code} {answer.text[:500]}")


def pages(bench: Bench, emsp: Platform) -> list[Row]:
    """The first page, and the last: as our Link leads there, and as a bare offset does."""
    servers, last = bench.servers, max(0, bench.size.locations - PAGE)
    deep = {
        "link": next_page(bench, emsp, max(0, last - PAGE)),
        "offset": f"{LOCATIONS}?{urlencode({'limit': PAGE, 'offset': last})}",
    }
    paths = {"first": f"{LOCATIONS}?{urlencode({'limit': PAGE})}", **deep}
    loads = {"bare": (page(paths["first"], emsp), servers.bare)}
    loads |= {name: (page(path, emsp), servers.hub) for name, path in paths.items()}
    if servers.peer:
        fill_peer(servers.peer)
        loads["peer"] = (page(f"{peer.LIST_PATH}?limit={PAGE}&offset=0", emsp), servers.peer)
    results = bench.in_turn(loads)
    first, bare = results["first"], results["bare"]
    found = ratio(first, bare)
    rows = [
        Row(
            f"GET of {PAGE} locations, first page of {bench.size.locations:,}",
            rate(first),
            rate(bare),
            found,
            f"≥ {PAGE_AIM:.2f}",
            found >= PAGE_AIM,
            peer=rate(results["peer"]) if "peer" in results else None,
            note="the aim is 400/s where the bare server does 5,000/s",
        )
    ]
    for name, way in (("link", "by our Link"), ("offset", "by a bare offset")):
        slower = ratio(first, results[name])
        rows.append(
            Row(
                f"the same, last page, {way}",
                rate(results[name]),
                rate(bare),
                ratio(results[name], bare),
                f"≤ {DEEP_AIM}x first",
                slower <= DEEP_AIM,
                note=f"{slower:.2f} times as long as the first",
            )
        )
    return rows


def page(path: str, emsp: Platform) -> Load:
    return Load("GET", path, emsp.headers, connections=LISTS_AT_ONCE)


def next_page(bench: Bench, emsp: Platform, offset: int) -> str:
    """Where the Link of a page leads."""
    answer = requests.get(
        f"http://127.0.0.1:{bench.servers.hub}{LOCATIONS}",
        params={"limit": PAGE, "offset": offset},
        headers=emsp.headers,
        timeout=60,
    )
    if len(answer.json()["data"]) != PAGE:
        raise LoadFailed(f"a page of {len(answer.json()['data'])} instead of {PAGE}")
    parts = urlsplit(answer.links["next"]["url"])
    return f"{parts.path}?{parts.query}"


def fill_peer(port: int) -> None:
    """One page of locations is all it is asked for, so it is not given more."""
    for number in range(PAGE):
        body = documents.new_location(f"P{number}", last_updated=documents.BEFORE)
        answer = requests.put(
            f"http://127.0.0.1:{port}{peer.PUT_PATH}/P{number}", json=body, timeout=30
        )
        answer.raise_for_status()


def forwarding(bench: Bench, cpo: Platform, emsp: Platform) -> Row:
    """The same request at a partner's server, directly and through the hub, one at a time."""
    routed = {
        "OCPI-from-country-code": "NL",
        "OCPI-from-party-id": "ONE",
        "OCPI-to-country-code": emsp.party[:2],
        "OCPI-to-party-id": emsp.party[3:],
    }
    body = documents.text(documents.changed_location())
    path = "locations/NL/ONE/L@i@"
    headers = cpo.headers | routed
    through = Load("PUT", f"{RECEIVER}/{path}", headers, body, connections=1)
    direct = Load("PUT", f"/{emsp.name}/2.2.1/{path}", headers, body, connections=1)
    check(bench, through)
    results = bench.in_turn(
        {"direct": (direct, bench.servers.platforms), "hub": (through, bench.servers.hub)}
    )
    added = statistics.median(
        hub.median - plain.median
        for hub, plain in zip(results["hub"], results["direct"], strict=True)
    )
    usual = statistics.median(result.median for result in results["direct"])
    return Row(
        "PUT forwarded to another party, one at a time",
        rate(results["hub"]),
        rate(results["direct"]),
        ratio(results["hub"], results["direct"]),
        f"adds ≤ {ADDED_AIM * 1000:.0f} ms",
        added <= ADDED_AIM,
        note=f"adds {added * 1000:.2f} ms at the median to {usual * 1000:.2f} ms; "
        '"bare" is the partner\'s server called directly',
    )
