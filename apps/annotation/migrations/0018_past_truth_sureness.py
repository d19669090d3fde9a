from django.db import migrations, models

# an undo gives back how sure a truth was, too
SQL = """
CREATE OR REPLACE FUNCTION annotation_keep_past_truth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.label_id, NEW.value, NEW.how) IS NOT DISTINCT FROM (OLD.label_id, OLD.value, OLD.how) THEN
        RETURN NULL;
    END IF;
    INSERT INTO annotation_pasttruth (item_id, project_id, label_id, value, how, by_id, agreement, certainty, since, until,
                                      deleted, change_id)
    VALUES (OLD.item_id, OLD.project_id, OLD.label_id, OLD.value, OLD.how, OLD.by_id, OLD.agreement, OLD.certainty,
            OLD.changed_at, clock_timestamp(), TG_OP = 'DELETE',
            nullif(current_setting('marginalia.change', true), '')::bigint);
    RETURN NULL;
END $$;
"""
BEFORE = """
CREATE OR REPLACE FUNCTION annotation_keep_past_truth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.label_id, NEW.value, NEW.how) IS NOT DISTINCT FROM (OLD.label_id, OLD.value, OLD.how) THEN
        RETURN NULL;
    END IF;
    INSERT INTO annotation_pasttruth (item_id, project_id, label_id, value, how, by_id, since, until, deleted, change_id)
    VALUES (OLD.item_id, OLD.project_id, OLD.label_id, OLD.value, OLD.how, OLD.by_id, OLD.changed_at, clock_timestamp(),
            TG_OP = 'DELETE', nullif(current_setting('marginalia.change', true), '')::bigint);
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0017_overlap_of_what_waits")]
    operations = [
        migrations.AddField("pasttruth", "agreement", models.FloatField(null=True)),
        migrations.AddField("pasttruth", "certainty", models.FloatField(null=True)),
        migrations.RunSQL(SQL, BEFORE),
    ]
