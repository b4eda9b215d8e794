"""A trigger sets the columns that tell of a location's document.

Generated columns read the document once each: ten of them took twice as long as all the rest of
writing a location.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"

MEMBERS = ("name", "address", "city", "postal_code", "state", "country", "time_zone")
GENERATED = {
    "publish": "coalesce(document ->> 'publish', 'true') = 'true'",
    **{member: f"document ->> '{member}'" for member in MEMBERS},
    "latitude": "document #>> '{coordinates,latitude}'",
    "longitude": "document #>> '{coordinates,longitude}'",
}


FUNCTION = """
CREATE FUNCTION ocpi_locations_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce(said.publish, 'true') = 'true', said.name, said.address, said.city,
        said.postal_code, said.state, said.country, said.time_zone,
        said.coordinates ->> 'latitude', said.coordinates ->> 'longitude'
    INTO NEW.publish, NEW.name, NEW.address, NEW.city, NEW.postal_code, NEW.state, NEW.country,
        NEW.time_zone, NEW.latitude, NEW.longitude
    FROM json_to_record(NEW.document) AS said(publish text, name text, address text, city text,
        postal_code text, state text, country text, time_zone text, coordinates json);
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    dropped = ", ".join(f"ALTER {column} DROP EXPRESSION" for column in GENERATED)
    op.execute(f"ALTER TABLE ocpi_locations {dropped}")
    op.alter_column("ocpi_locations", "publish", server_default=sa.text("true"))
    op.execute(FUNCTION)
    op.execute(
        "CREATE TRIGGER ocpi_locations_columns BEFORE INSERT OR UPDATE OF document"
        " ON ocpi_locations FOR EACH ROW EXECUTE FUNCTION ocpi_locations_columns()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER ocpi_locations_columns ON ocpi_locations")
    op.execute("DROP FUNCTION ocpi_locations_columns()")
    for column, expression in GENERATED.items():
        op.drop_column("ocpi_locations", column)
        type_ = sa.Boolean() if column == "publish" else sa.Text()
        computed = sa.Computed(expression, persisted=True)
        nullable = column != "publish"
        op.add_column("ocpi_locations", sa.Column(column, type_, computed, nullable=nullable))
