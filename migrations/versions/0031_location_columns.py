"""The columns that tell of a location's document are written with it.

Generated columns read the document once each: ten of them took twice as long as all the rest of
writing a location. What they hold stays as it is.
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


def upgrade() -> None:
    dropped = ", ".join(f"ALTER {column} DROP EXPRESSION" for column in GENERATED)
    op.execute(f"ALTER TABLE ocpi_locations {dropped}")
    op.alter_column("ocpi_locations", "publish", server_default=sa.text("true"))


def downgrade() -> None:
    for column, expression in GENERATED.items():
        op.drop_column("ocpi_locations", column)
        type_ = sa.Boolean() if column == "publish" else sa.Text()
        computed = sa.Computed(expression, persisted=True)
        nullable = column != "publish"
        op.add_column("ocpi_locations", sa.Column(column, type_, computed, nullable=nullable))
