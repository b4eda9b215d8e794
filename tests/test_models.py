"""The tables hold every entity, field and enumeration of the seed, and refuse what it forbids."""

import asyncio
import importlib
import pkgutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_type_hints
from uuid import uuid4

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import configure_mappers, selectinload
from sqlalchemy.orm.exc import StaleDataError

from hub import models
from hub.models import charging, stations, tenants, values
from hub.models.all import METADATA
from hub.models.base import Audited, Versioned
from hub.models.charging import AuthToken, ChargingSession, MeterValue
from hub.models.objects import CDR, EVSE, Location, Token
from hub.models.partners import Partner
from hub.models.stations import ChargingStation, Connector
from hub.models.tenants import ApiKey, Permission, Role, RolePermission, Tenant, User, UserRole
from tests.helpers.rows import add_row

# Written by hand from the seed document, in its order; names as PostgreSQL has them.
SEED = {
    "tenants": """id name domain company_name tenant_type country_code party_id settings
        billing_config status created_at updated_at""",
    "users": """id tenant_id created_at updated_at created_by last_modified_by version email
        first_name last_name phone language external_id auth_provider auth_attributes user_type
        user_groups billing_profile preferences status blocked_until last_login_at""",
    "user_roles": "user_id role_id",
    "roles": "id tenant_id created_at updated_at name description role_type is_default",
    "role_permissions": "role_id permission_id",
    "permissions": "id name description resource action scope",
    "auth_tokens": """id tenant_id created_at updated_at created_by last_modified_by version
        user_id token_type token_value token_hash parent_id visual_id expires_at is_active
        is_blocked block_reason last_used_at use_count token_metadata restrictions""",
    "charging_stations": """id tenant_id created_at updated_at created_by last_modified_by version
        station_id name description manufacturer model serial_number firmware_version ocpp_version
        ocpp_status ocpp_endpoint last_heartbeat heartbeat_interval location_id address latitude
        longitude status availability error_code status_info configuration capabilities diagnostics
        certificate_fingerprint certificate_expires_at""",
    "connectors": """id tenant_id created_at updated_at created_by last_modified_by version
        charging_station_id connector_id connector_type status error_code status_info
        vendor_error_code max_power max_current voltage number_of_phases tariff_id configuration""",
    "station_configuration_items": "id tenant_id charging_station_id key value",
    "charging_sessions": """id tenant_id created_at updated_at created_by last_modified_by version
        charging_station_id connector_id user_id auth_token_id session_id transaction_id
        external_session_id start_timestamp end_timestamp authorization_timestamp plug_in_timestamp
        plug_out_timestamp start_value end_value total_energy max_power avg_power status stop_reason
        error_code error_description auth_method id_tag tariff_id total_cost currency
        billing_details ocpi_partner_id ocpi_data session_metadata diagnostics""",
    "session_events": "id tenant_id charging_session_id timestamp",
    "meter_values": """id charging_session_id timestamp measurand value unit context format location
        phase""",
    "charge_detail_records": "id tenant_id charging_session_id",
    "ocpi_partners": """id tenant_id created_at updated_at created_by last_modified_by version name
        business_details credentials_url versions_url status sync_frequency_minutes
        configuration""",
    "ocpi_partner_roles": "country_code party_id role",
    "ocpi_partner_endpoints": "url role identifier",
    "ocpi_locations": """id tenant_id created_at updated_at partner_id country_code party_id name
        address city postal_code state last_updated publish""",
    "ocpi_evses": "id tenant_id partner_id",
    "tariffs": """id tenant_id created_at updated_at name description currency valid_from valid_to
        status""",
    "audit_logs": """id tenant_id timestamp user_id session_id ip_address user_agent action
        entity_type entity_id old_values new_values description severity metadata""",
}

# Fields of the seed that are kept under another name or in another form: see docs/data-model.md.
ELSEWHERE = {
    "ocpi_partners.credentials_token": "ocpi_partners.token_to_send",
    "ocpi_partners.last_sync_timestamp": "ocpi_partners.last_synced_at",
    "ocpi_partners.endpoints": "ocpi_partner_endpoints.url",
    "ocpi_partners.country_code": "ocpi_partner_roles.country_code",
    "ocpi_partners.party_id": "ocpi_partner_roles.party_id",
    "ocpi_partners.role": "ocpi_partner_roles.role",
    "ocpi_locations.location_id": "ocpi_locations.object_id",
    "ocpi_locations.coordinates": "ocpi_locations.latitude",
    "ocpi_locations.location_data": "ocpi_locations.document",
    "ocpi_locations.ocpi_partner_id": "ocpi_locations.partner_id",
    "tariffs.tariff_id": "tariffs.object_id",
    "tariffs.tariff_elements": "tariffs.document",
    "tariffs.restrictions": "tariffs.document",
    # The active session of a connector is a query on this index, not a column.
    "connectors.current_session_id": "charging_sessions.connector_id",
}

JSON_FIELDS = {
    tenants.TenantSettings: "timezone default_currency default_language features custom_properties",
    tenants.BillingProfile: """default_payment_method billing_address vat_number company_name
        payment_preferences""",
    tenants.UserPreferences: "language timezone currency notifications custom_settings",
    charging.TokenMetadata: "issuer card_type manufacturer_data custom_fields description",
    charging.TokenRestrictions: "allowed_stations allowed_groups time_restriction geographic usage",
    charging.TimeRestriction: "allowed_days start_time end_time timezone",
    charging.GeographicRestriction: """allowed_countries allowed_regions latitude longitude
        radius_km""",
    charging.UsageRestriction: """max_sessions_per_day max_sessions_per_month
        max_amount_per_session max_amount_per_month max_duration_minutes""",
    charging.BillingDetails: """items tax_breakdown billing_reference billing_timestamp
        billing_status""",
    charging.OCPISessionData: """cdr_id location_id evse_uid connector_id authorization_reference
        additional_data""",
    charging.SessionMetadata: """vehicle_id vehicle_type battery_capacity initial_soc final_soc
        custom_fields""",
    charging.SessionDiagnostics: """warnings errors performance_metrics network_events
        quality_metrics""",
    stations.StationConfiguration: """ocpp_parameters network security display
        manufacturer_specific""",
    stations.StationCapabilities: """supported_feature_profiles supported_connector_types max_power
        number_of_connectors supports_reservation supports_smart_charging supports_remote_start
        supported_payment_methods""",
    stations.StationDiagnostics: """last_diagnostics_run system_health active_errors warnings
        performance_metrics""",
    stations.ConnectorConfiguration: """is_enabled priority custom_parameters reservation
        load_balancing""",
}

# As in the seed, with the corrections of docs/data-model.md: EMSP for MSP, OCPI's roles, OCPP 1.6,
# 2.0.1 and 2.1.
ENUMERATIONS = {
    ("tenants", "tenant_type"): "CPO EMSP HUB SAAS_PROVIDER HYBRID",
    ("tenants", "status"): "ACTIVE SUSPENDED TERMINATED PENDING_ACTIVATION",
    ("users", "auth_provider"): """LOCAL OIDC SAML LDAP OAUTH2_GOOGLE OAUTH2_AZURE
        OAUTH2_CUSTOM""",
    ("users", "user_type"): "INDIVIDUAL BUSINESS FLEET ADMIN SERVICE_ACCOUNT",
    ("users", "status"): "ACTIVE SUSPENDED BLOCKED PENDING_VERIFICATION DELETED",
    ("roles", "role_type"): "SYSTEM TENANT CUSTOM",
    ("permissions", "scope"): "GLOBAL TENANT OWNED",
    ("auth_tokens", "token_type"): """RFID_ISO14443 RFID_MIFARE NFC_SMARTPHONE QR_CODE_DYNAMIC
        ISO15118_CONTRACT AUTOCHARGE_VIN API_KEY ROAMING_TOKEN TEMPORARY TEST_TOKEN""",
    ("charging_stations", "ocpp_version"): "OCPP_1_6 OCPP_2_0_1 OCPP_2_1",
    ("charging_stations", "ocpp_status"): """AVAILABLE PREPARING CHARGING SUSPENDED_EVSE
        SUSPENDED_EV FINISHING RESERVED UNAVAILABLE FAULTED OFFLINE""",
    ("charging_stations", "status"): "ACTIVE INACTIVE MAINTENANCE FAULTY OFFLINE DECOMMISSIONED",
    ("charging_stations", "availability"): "OPERATIVE INOPERATIVE SCHEDULED",
    ("connectors", "status"): "AVAILABLE OCCUPIED RESERVED UNAVAILABLE FAULTED",
    ("charging_sessions", "status"): """INITIATED AUTHORIZED PREPARING CHARGING SUSPENDED_EV
        SUSPENDED_EVSE FINISHING COMPLETED INTERRUPTED CANCELLED FAILED RESERVED""",
    ("charging_sessions", "stop_reason"): """EMERGENCY_STOP EV_DISCONNECTED HARD_RESET LOCAL OTHER
        POWER_LOSS REBOOT REMOTE SOFT_RESET UNLOCK_COMMAND DE_AUTHORIZED ENERGY_LIMIT_REACHED
        GROUND_FAULT IMMEDIATE_RESET LOCAL_OUT_OF_CREDIT MASTER_PASS OVERCURRENT_FAULT POWER_QUALITY
        SOC_LIMIT_REACHED STOPPED_BY_EV TIME_LIMIT_REACHED TIMEOUT""",
    ("charging_sessions", "auth_method"): """RFID NFC QR_CODE ISO15118 AUTOCHARGE API ROAMING MANUAL
        RESERVED""",
    ("meter_values", "measurand"): """CURRENT_EXPORT CURRENT_IMPORT CURRENT_OFFERED
        ENERGY_ACTIVE_EXPORT_REGISTER ENERGY_ACTIVE_IMPORT_REGISTER ENERGY_REACTIVE_EXPORT_REGISTER
        ENERGY_REACTIVE_IMPORT_REGISTER ENERGY_ACTIVE_EXPORT_INTERVAL ENERGY_ACTIVE_IMPORT_INTERVAL
        ENERGY_REACTIVE_EXPORT_INTERVAL ENERGY_REACTIVE_IMPORT_INTERVAL FREQUENCY
        POWER_ACTIVE_EXPORT POWER_ACTIVE_IMPORT POWER_FACTOR POWER_OFFERED POWER_REACTIVE_EXPORT
        POWER_REACTIVE_IMPORT RPM SOC TEMPERATURE VOLTAGE""",
    ("meter_values", "context"): """INTERRUPTION_BEGIN INTERRUPTION_END OTHER SAMPLE_CLOCK
        SAMPLE_PERIODIC TRANSACTION_BEGIN TRANSACTION_END TRIGGER""",
    ("meter_values", "format"): "RAW SIGNED_DATA",
    ("meter_values", "location"): "BODY CABLE EV INLET OUTLET",
    ("ocpi_partners", "status"): "ACTIVE INACTIVE SUSPENDED PENDING_VERIFICATION BLOCKED",
    ("tariffs", "status"): "ACTIVE INACTIVE DRAFT ARCHIVED",
    ("audit_logs", "action"): """CREATE READ UPDATE DELETE LOGIN LOGOUT AUTHENTICATION_FAILED
        AUTHORIZATION_FAILED SESSION_START SESSION_STOP COMMAND_SENT CONFIGURATION_CHANGED
        SYSTEM_EVENT ERROR SECURITY_EVENT""",
    ("audit_logs", "severity"): "LOW MEDIUM HIGH CRITICAL",
}

# Lengths and precisions the seed gives.
SIZES = {
    "tenants": {"name": 255, "domain": 255, "company_name": 500, "country_code": 2, "party_id": 3},
    "users": {
        "email": 255,
        "first_name": 255,
        "last_name": 255,
        "phone": 50,
        "language": 5,
        "external_id": 255,
    },
    "roles": {"name": 100, "description": 500},
    "permissions": {"name": 100, "description": 500, "resource": 50, "action": 50},
    "auth_tokens": {
        "token_value": 500,
        "token_hash": 128,
        "parent_id": 50,
        "visual_id": 50,
        "block_reason": 255,
    },
    "charging_stations": {
        "station_id": 255,
        "name": 255,
        "description": 1000,
        "manufacturer": 100,
        "model": 100,
        "serial_number": 100,
        "firmware_version": 50,
        "ocpp_endpoint": 500,
        "address": 500,
        "error_code": 50,
        "status_info": 255,
        "certificate_fingerprint": 128,
    },
    "connectors": {"error_code": 50, "status_info": 255, "vendor_error_code": 50},
    "charging_sessions": {
        "session_id": 255,
        "transaction_id": 100,
        "external_session_id": 255,
        "error_code": 50,
        "error_description": 500,
        "id_tag": 255,
        "currency": 3,
    },
    "meter_values": {"unit": 20, "phase": 10},
    "ocpi_partners": {"name": 255, "credentials_url": 500, "versions_url": 500},
    "tariffs": {"name": 255, "description": 1000},
    "audit_logs": {
        "session_id": 100,
        "ip_address": 45,
        "user_agent": 500,
        "entity_type": 100,
        "description": 1000,
    },
}

# The seed's indexes and unique constraints, by their columns; a longer index that begins with them
# serves as well, and every one begins with the tenant.
INDEXES = {
    "tenants": ["domain"],
    "users": ["tenant_id email", "tenant_id external_id auth_provider"],
    "roles": ["tenant_id name"],
    "permissions": ["name"],
    "auth_tokens": [
        "tenant_id user_id",
        "tenant_id token_key token_type",
        "tenant_id is_active expires_at",
    ],
    "charging_stations": [
        "tenant_id station_id",
        "tenant_id status",
        "tenant_id location_id",
        "tenant_id ocpp_version ocpp_status",
    ],
    "connectors": ["tenant_id charging_station_id status", "tenant_id connector_type"],
    "charging_sessions": [
        "tenant_id charging_station_id status",
        "tenant_id user_id",
        "tenant_id status",
        "tenant_id start_timestamp end_timestamp",
        "tenant_id session_id",
        "tenant_id transaction_id",
    ],
    "meter_values": ["tenant_id charging_session_id timestamp", "tenant_id measurand timestamp"],
    "ocpi_partners": ["tenant_id status"],
    "ocpi_partner_roles": ["tenant_id country_code party_id"],
    "ocpi_locations": ["tenant_id country_code party_id object_key", "tenant_id last_updated"],
    "tariffs": [
        "tenant_id country_code party_id object_key",
        "tenant_id status",
        "tenant_id valid_from valid_to",
    ],
    "audit_logs": [
        "tenant_id timestamp",
        "tenant_id entity_type entity_id",
        "tenant_id user_id",
        "tenant_id action",
    ],
}


def test_every_module_of_models_is_part_of_the_schema():
    modules = {module.name for module in pkgutil.iter_modules(models.__path__)} - {"all"}
    for name in modules:
        importlib.import_module(f"hub.models.{name}")

    assert modules - {"base", "values"} == {
        name for name in importlib.import_module("hub.models.all").__all__ if name.islower()
    }
    configure_mappers()


@pytest.mark.parametrize("table", SEED)
def test_every_field_of_the_seed_is_there(table):
    assert set(SEED[table].split()) <= set(METADATA.tables[table].columns.keys())


@pytest.mark.parametrize("place", ELSEWHERE.values())
def test_every_field_that_moved_is_where_the_documentation_says(place):
    table, column = place.split(".")

    assert column in METADATA.tables[table].columns


@pytest.mark.parametrize("structure", JSON_FIELDS, ids=lambda structure: structure.__name__)
def test_every_nested_structure_of_the_seed_has_its_fields(structure):
    assert set(get_type_hints(structure)) == set(JSON_FIELDS[structure].split())


@pytest.mark.parametrize("table", SIZES)
def test_texts_are_as_long_as_the_seed_allows(table):
    columns = METADATA.tables[table].columns

    assert {name: columns[name].type.length for name in SIZES[table]} == SIZES[table]


@pytest.mark.parametrize(("table", "column"), ENUMERATIONS)
async def test_closed_enumerations_take_their_values_and_no_other(postgres, table, column):
    definition = postgres.run_sql(
        "hub",
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conrelid = '{table}'::regclass AND conname = 'ck_{table}_{column}'",
    )
    taken = set(definition.split("'")[1::2])

    assert taken == set(ENUMERATIONS[table, column].split())


@pytest.mark.parametrize("table", INDEXES)
async def test_the_indexes_of_the_seed_are_there(postgres, table):
    found = postgres.run_sql(
        "hub",
        "SELECT array_to_string(array(SELECT attname FROM unnest(indkey::int2[]) WITH ORDINALITY"
        " AS k (num, place) JOIN pg_attribute ON attrelid = indrelid AND attnum = num"
        f" ORDER BY place), ' ') FROM pg_index WHERE indrelid = '{table}'::regclass",
    ).splitlines()

    for wanted in INDEXES[table]:
        assert any(f"{index} ".startswith(f"{wanted} ") for index in found), wanted


def test_enumerations_are_spelled_as_they_are_named():
    enumerations = [kind for kind in vars(values).values() if isinstance(kind, type)]
    for kind in enumerations:
        if hasattr(kind, "__members__"):
            assert all(name == value for name, value in kind.__members__.items())


def test_times_have_a_zone_everywhere():
    for table in METADATA.sorted_tables:
        for column in table.columns:
            assert getattr(column.type, "timezone", True), f"{column} has no zone"


def test_every_key_begins_with_the_tenant():
    """So that the data can be spread over machines by tenant one day."""
    for table in METADATA.sorted_tables:
        if "tenant_id" not in table.columns:
            continue
        assert table.primary_key.columns.keys()[0] == "tenant_id", table
        for key in table.foreign_key_constraints:
            if key.referred_table.name not in {"tenants", "permissions"}:
                assert key.column_keys[0] == "tenant_id", key


def test_what_operators_edit_is_versioned():
    versioned = {mapper.class_ for mapper in Partner.registry.mappers} & set(subclasses(Versioned))

    assert versioned >= {
        Tenant,
        User,
        Role,
        ApiKey,
        AuthToken,
        ChargingStation,
        Connector,
        ChargingSession,
        Partner,
    }
    assert all(inspect(kind).version_id_col is not None for kind in versioned)


def subclasses(kind: type) -> set[type]:
    direct = set(kind.__subclasses__())
    return direct.union(*(subclasses(child) for child in direct))


@pytest.mark.parametrize(
    ("table", "bad"),
    [
        ("tenants", {"name": ""}),
        ("tenants", {"country_code": "nl"}),
        ("tenants", {"party_id": "AB"}),
        ("tenants", {"country_code": None}),
        ("tenants", {"cpo_party_id": None}),
        ("tenants", {"cpo_party_id": "A-B"}),
        ("users", {"email": "Someone@example.org"}),
        ("users", {"email": "nowhere"}),
        ("roles", {"name": ""}),
        ("api_keys", {"name": ""}),
        ("auth_tokens", {"token_value": ""}),
        ("auth_tokens", {"use_count": -1}),
        ("auth_tokens", {"token_type": "API_KEY", "token_hash": None}),
        ("charging_stations", {"station_id": ""}),
        ("charging_stations", {"latitude": Decimal("90.1")}),
        ("charging_stations", {"longitude": Decimal("-180.1")}),
        ("charging_stations", {"heartbeat_interval": 0}),
        ("charging_stations", {"security_profile": 4}),
        ("charging_stations", {"ocpp_version": "OCPP_1_5"}),
        ("connectors", {"connector_id": 0}),
        ("connectors", {"evse_number": 0}),
        ("connectors", {"max_power": 0}),
        ("connectors", {"max_current": 0}),
        ("connectors", {"voltage": 0}),
        ("connectors", {"number_of_phases": 4}),
        ("charging_sessions", {"session_id": ""}),
        ("charging_sessions", {"currency": "EURO"}),
        ("charging_sessions", {"currency": "eur"}),
        (
            "charging_sessions",
            {
                "start_timestamp": datetime(2025, 1, 2, tzinfo=UTC),
                "end_timestamp": datetime(2025, 1, 1, tzinfo=UTC),
            },
        ),
        ("meter_values", {"value": None}),
        ("meter_values", {"phase": "a long phase"}),
        ("ocpi_partners", {"name": ""}),
        ("ocpi_partners", {"sync_frequency_minutes": 0}),
        ("ocpi_partners", {"connection_status": "AWAY"}),
        ("ocpi_partner_endpoints", {"role": "LISTENER"}),
        ("audit_logs", {"action": "SHRUG"}),
        ("audit_logs", {"severity": "MILD"}),
        ("commands", {"direction": "SIDEWAYS"}),
        ("route_hints", {"kind": "GUESS"}),
        ("response_routes", {"kind": "GUESS"}),
        ("ocpi_locations", {"document": "{not json"}),
    ],
)
async def test_the_database_refuses_what_makes_no_sense(database, tenant, table, bad):
    if table == "tenants":
        bad = {"id": uuid4(), "name": "X", "country_code": "NL", "party_id": "HUB"} | bad
        bad = {"cpo_country_code": "NL", "cpo_party_id": "OWN"} | bad
    with pytest.raises((IntegrityError, DBAPIError)):
        async with database.transaction(bad.get("id", tenant.id)) as db:
            await add_row(db, METADATA.tables[table], **bad)


@pytest.mark.parametrize(
    ("table", "same"),
    [
        ("users", {"email": "a@example.org"}),
        ("users", {"external_id": "7", "auth_provider": "OIDC"}),
        ("roles", {"name": "operator"}),
        ("api_keys", {"name": "key"}),
        ("api_keys", {"digest": b"the same"}),
        ("auth_tokens", {"token_value": "04A2", "token_type": "RFID_MIFARE"}),
        ("charging_stations", {"station_id": "CP-1"}),
        ("ocpi_partner_tokens", {"digest": b"the same"}),
        ("ocpi_partner_roles", {"country_code": "NL", "party_id": "ABC", "role": "CPO"}),
        ("ocpi_locations", {"object_key": "LOC1"}),
        ("ocpi_evses", {"location_key": "LOC1", "object_key": "EVSE1"}),
        ("commands", {"callback_digest": b"the same"}),
        ("response_routes", {"digest": b"the same"}),
    ],
)
async def test_what_must_be_unique_is(database, tenant, table, same):
    async with database.transaction(tenant.id) as db:
        await add_row(db, METADATA.tables[table], **same)

    with pytest.raises(IntegrityError, match="duplicate key"):
        async with database.transaction(tenant.id) as db:
            await add_row(db, METADATA.tables[table], **same)


async def test_tokens_are_unique_whatever_the_case_of_their_letters(database, tenant):
    """OCPP's idTag and OCPI's uid compare without case (TOK-02)."""
    kind = {"token_type": "RFID_ISO14443"}
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, AuthToken.__table__, token_value="04a2Bc", **kind)
        assert row["token_key"] == "04A2BC"

    with pytest.raises(IntegrityError, match="uq_auth_tokens_value"):
        async with database.transaction(tenant.id) as db:
            await add_row(db, AuthToken.__table__, token_value="04A2bC", **kind)


async def test_the_same_names_may_be_used_in_every_tenant(database, tenant, make_tenant):
    another = await make_tenant()
    for owner in (tenant, another):
        async with database.transaction(owner.id) as db:
            await add_row(db, ChargingStation.__table__, station_id="CP-1")
            await add_row(db, User.__table__, email="a@example.org")


async def test_a_station_numbers_connectors_per_evse(database, tenant):
    async with database.transaction(tenant.id) as db:
        station = await add_row(db, ChargingStation.__table__)
        numbers = {"charging_station_id": station["id"], "connector_id": 1}
        for evse_number in (1, 2):
            await add_row(db, Connector.__table__, evse_number=evse_number, **numbers)

    with pytest.raises(IntegrityError, match="uq_connectors_number"):
        async with database.transaction(tenant.id) as db:
            await add_row(db, Connector.__table__, evse_number=2, **numbers)


async def test_a_row_is_stamped_with_when_and_who(database, tenant):
    maker, changer = uuid4(), uuid4()
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with database.transaction(tenant.id, actor_id=maker) as db:
        partner = Partner(name="Platform")
        db.add(partner)
        await db.flush()
        assert partner.tenant_id == tenant.id
        assert partner.created_by == partner.last_modified_by == maker
        assert before <= partner.created_at <= datetime.now(UTC) + timedelta(seconds=1)
        assert partner.version == 1
    made_at = partner.created_at

    async with database.transaction(tenant.id, actor_id=changer) as db:
        found = await db.scalar(select(Partner))
        found.name = "Renamed"
        await db.flush()
        # Readable at once: what the database computed came back with the change.
        assert found.updated_at > found.created_at == made_at
        assert (found.created_by, found.last_modified_by) == (maker, changer)
        assert found.version == 2


async def test_without_an_actor_nobody_is_named(database, tenant):
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, Partner.__table__)

    assert row["created_by"] is row["last_modified_by"] is None


@pytest.mark.parametrize("kind", [Partner, Role, ChargingStation, AuthToken, ChargingSession])
async def test_of_two_changes_to_the_same_version_the_second_is_refused(database, tenant, kind):
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, kind.__table__)
    column = "error_code" if kind is ChargingSession else "block_reason"
    column = column if hasattr(kind, column) else "name"
    both_have_read = asyncio.Barrier(2)

    async def change(value: str) -> None:
        async with database.transaction(tenant.id) as db:
            found = await db.scalar(select(kind).where(kind.id == row["id"]))
            await both_have_read.wait()
            setattr(found, column, value)

    outcomes = await asyncio.gather(change("one"), change("two"), return_exceptions=True)

    assert sorted(type(outcome) for outcome in outcomes if outcome) == [StaleDataError]
    async with database.transaction(tenant.id) as db:
        found = await db.scalar(select(kind).where(kind.id == row["id"]))
        assert found.version == 2


async def test_nothing_in_a_json_column_is_null_and_not_the_word(database, tenant):
    async with database.transaction(tenant.id) as db:
        db.add(User(user_type="ADMIN", preferences=None, user_groups=["a", "b"]))
        await db.flush()
        nulls = text("SELECT preferences IS NULL, billing_profile IS NULL, user_groups FROM users")
        assert (await db.execute(nulls)).one() == (True, True, ["a", "b"])


async def test_roles_give_users_permissions(database, tenant):
    async with database.transaction(tenant.id) as db:
        user, role = User(user_type="ADMIN", email="a@example.org"), Role(name="operator")
        db.add_all([user, role])
        permission = await db.scalar(select(Permission).where(Permission.name == "feed.read"))
        await db.flush()
        db.add(UserRole(user_id=user.id, role_id=role.id))
        db.add(RolePermission(role_id=role.id, permission_id=permission.id))

    async with database.transaction(tenant.id) as db:
        found = await db.scalar(
            select(User).options(selectinload(User.roles).selectinload(Role.permissions))
        )
        assert [p.name for r in found.roles for p in r.permissions] == ["feed.read"]

    async with database.transaction(tenant.id) as db:
        found = await db.scalar(select(User))
        with pytest.raises(InvalidRequestError):
            _ = found.roles


async def test_documents_come_back_byte_for_byte_and_are_searched_by_what_is_in_them(
    database, tenant
):
    document = '{"city":"Ghent",  "publish": false, "odd": 1.10, "coordinates":{"latitude":"51.0"}}'
    async with database.transaction(tenant.id) as db:
        await add_row(db, Location.__table__, document=document)
        await add_row(db, EVSE.__table__, document='{"status": "CHARGING"}')
        await add_row(db, Token.__table__, document='{"uid": "1"}')
        await add_row(db, CDR.__table__, document='{"total_energy": 12.345}')

    async with database.transaction(tenant.id) as db:
        found = await db.scalar(select(Location))
        assert found.document == document
        assert (found.city, found.publish, found.latitude) == ("Ghent", False, "51.0")
        assert await db.scalar(select(EVSE.status)) == "CHARGING"
        assert await db.scalar(select(Token.valid)) is False
        assert await db.scalar(select(CDR.total_energy)) == Decimal("12.345")


async def test_a_place_in_the_feed_is_a_number(database, tenant):
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, Location.__table__)
        now = await db.scalar(text("SELECT pg_current_xact_id()"))

        assert row["changed_xid"] == now
        assert isinstance(now, int)
        assert await db.scalar(
            select(Location.object_key).where(Location.changed_xid == row["changed_xid"])
        )


async def test_signed_meter_data_is_not_touched(database, tenant):
    """Not even white space may change between signing and checking."""
    signed = ' OCMF|{"FV" : "1.0", "RV":0.10, "x": 1E3}|{"SD":"äöü"}\n'
    async with database.transaction(tenant.id) as db:
        await add_row(db, MeterValue.__table__, value=None, signed_data=signed)

    async with database.transaction(tenant.id) as db:
        assert await db.scalar(select(MeterValue.signed_data)) == signed


def test_only_what_people_change_names_its_editors():
    """Objects that partners push have stamps and a digest, no version: the feed orders them."""
    assert not issubclass(Location, Audited)
    assert not issubclass(EVSE, Audited)
