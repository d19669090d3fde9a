from django.db import migrations

CREATE = """
CREATE UNLOGGED TABLE feedback_intake_count (
    bucket text PRIMARY KEY,
    used bigint NOT NULL,
    ends timestamptz NOT NULL
)
"""


class Migration(migrations.Migration):
    """Counters for when Redis or Valkey is away. Losing them in a crash only opens new windows."""

    dependencies = [("feedback", "0003_ticket_bookkeeping")]
    operations = [migrations.RunSQL(CREATE, "DROP TABLE feedback_intake_count")]
