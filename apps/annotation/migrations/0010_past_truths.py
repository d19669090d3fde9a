from django.db import migrations

SQL = """
CREATE FUNCTION annotation_keep_past_truth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.label_id, NEW.value, NEW.how) IS NOT DISTINCT FROM (OLD.label_id, OLD.value, OLD.how) THEN
        RETURN NULL;
    END IF;
    INSERT INTO annotation_pasttruth (item_id, project_id, label_id, value, how, by_id, since, until, deleted, change_id)
    VALUES (OLD.item_id, OLD.project_id, OLD.label_id, OLD.value, OLD.how, OLD.by_id, OLD.changed_at, clock_timestamp(),
            TG_OP = 'DELETE', nullif(current_setting('marginalia.change', true), '')::bigint);
    RETURN NULL;
END $$;
CREATE TRIGGER annotation_keep_past_truth AFTER UPDATE OR DELETE ON annotation_resolution
    FOR EACH ROW EXECUTE FUNCTION annotation_keep_past_truth();
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0009_workbench")]
    operations = [
        migrations.RunSQL(
            SQL,
            "DROP TRIGGER annotation_keep_past_truth ON annotation_resolution; DROP FUNCTION annotation_keep_past_truth()",
        )
    ]
