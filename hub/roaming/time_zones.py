"""The time zone of a place, for partners whose OCPI version lets them leave it out."""

from collections.abc import Mapping

# Countries by ISO 3166 alpha-3 that keep one time on all their mainland.
ZONES: Mapping[str, str] = {
    "ALB": "Europe/Tirane",
    "AND": "Europe/Andorra",
    "AUT": "Europe/Vienna",
    "BEL": "Europe/Brussels",
    "BGR": "Europe/Sofia",
    "BIH": "Europe/Sarajevo",
    "CHE": "Europe/Zurich",
    "CYP": "Asia/Nicosia",
    "CZE": "Europe/Prague",
    "DEU": "Europe/Berlin",
    "DNK": "Europe/Copenhagen",
    "EST": "Europe/Tallinn",
    "FIN": "Europe/Helsinki",
    "FRA": "Europe/Paris",
    "GBR": "Europe/London",
    "GRC": "Europe/Athens",
    "HRV": "Europe/Zagreb",
    "HUN": "Europe/Budapest",
    "IND": "Asia/Kolkata",
    "IRL": "Europe/Dublin",
    "ISL": "Atlantic/Reykjavik",
    "ISR": "Asia/Jerusalem",
    "ITA": "Europe/Rome",
    "JPN": "Asia/Tokyo",
    "KOR": "Asia/Seoul",
    "LIE": "Europe/Vaduz",
    "LTU": "Europe/Vilnius",
    "LUX": "Europe/Luxembourg",
    "LVA": "Europe/Riga",
    "MCO": "Europe/Monaco",
    "MDA": "Europe/Chisinau",
    "MKD": "Europe/Skopje",
    "MLT": "Europe/Malta",
    "MNE": "Europe/Podgorica",
    "NLD": "Europe/Amsterdam",
    "NOR": "Europe/Oslo",
    "POL": "Europe/Warsaw",
    "ROU": "Europe/Bucharest",
    "SGP": "Asia/Singapore",
    "SMR": "Europe/San_Marino",
    "SRB": "Europe/Belgrade",
    "SVK": "Europe/Bratislava",
    "SVN": "Europe/Ljubljana",
    "SWE": "Europe/Stockholm",
    "TUR": "Europe/Istanbul",
    "UKR": "Europe/Kyiv",
}
# By the alpha-2 codes that real platforms write in their place, though OCPI has alpha-3.
ALPHA_3: Mapping[str, str] = {
    "AD": "AND",
    "AL": "ALB",
    "AT": "AUT",
    "BA": "BIH",
    "BE": "BEL",
    "BG": "BGR",
    "CH": "CHE",
    "CY": "CYP",
    "CZ": "CZE",
    "DE": "DEU",
    "DK": "DNK",
    "EE": "EST",
    "ES": "ESP",
    "FI": "FIN",
    "FR": "FRA",
    "GB": "GBR",
    "GR": "GRC",
    "HR": "HRV",
    "HU": "HUN",
    "IE": "IRL",
    "IL": "ISR",
    "IN": "IND",
    "IS": "ISL",
    "IT": "ITA",
    "JP": "JPN",
    "KR": "KOR",
    "LI": "LIE",
    "LT": "LTU",
    "LU": "LUX",
    "LV": "LVA",
    "MC": "MCO",
    "MD": "MDA",
    "ME": "MNE",
    "MK": "MKD",
    "MT": "MLT",
    "NL": "NLD",
    "NO": "NOR",
    "PL": "POL",
    "PT": "PRT",
    "RO": "ROU",
    "RS": "SRB",
    "SE": "SWE",
    "SG": "SGP",
    "SI": "SVN",
    "SK": "SVK",
    "SM": "SMR",
    "TR": "TUR",
    "UA": "UKR",
}
EUROPE = ("FRA", "NLD", "DNK", "GBR", "NOR")
# Where a country has islands with another time: south or west of here there is no telling.
SOUTHERNMOST = 34.0
WESTERNMOST = -25.0


def zone_of(country: str, latitude: float, longitude: float) -> str | None:
    """The IANA name, or None where the country alone does not tell. ``country`` by either code."""
    country = country.upper()
    country = ALPHA_3.get(country, country)
    if country in EUROPE and (latitude < SOUTHERNMOST or longitude < WESTERNMOST):
        return None
    if country == "ESP":
        return "Europe/Madrid" if latitude > SOUTHERNMOST else "Atlantic/Canary"
    if country == "PRT":
        return "Europe/Lisbon" if longitude > -10 else None  # noqa: PLR2004 - the mainland
    return ZONES.get(country)
