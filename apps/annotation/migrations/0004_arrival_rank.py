from django.db import migrations

# The same item always falls to the same place between Task.TOP and TOP + 2^52, in an order that is a random draw.
SQL = """
CREATE FUNCTION annotation_arrival_rank(item bigint, seed bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 1000000 + (hashint8extended(item, seed) & 4503599627370495);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0003_lease_keeps_what_was_shown")]
    operations = [migrations.RunSQL(SQL, "DROP FUNCTION annotation_arrival_rank(bigint, bigint)")]
