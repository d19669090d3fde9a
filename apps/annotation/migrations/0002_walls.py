from django.db import migrations

SQL = """
CREATE FUNCTION annotation_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - 'task_id' - 'shown_version_id') IS DISTINCT FROM (to_jsonb(OLD) - 'task_id' - 'shown_version_id') THEN
        RAISE EXCEPTION 'An annotation never changes; add a revision.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER annotation_append_only BEFORE UPDATE ON annotation_annotation
    FOR EACH ROW EXECUTE FUNCTION annotation_append_only();

CREATE FUNCTION prediction_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A prediction never changes.' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER prediction_never_changes BEFORE UPDATE ON annotation_prediction
    FOR EACH ROW EXECUTE FUNCTION prediction_never_changes();

-- the split written on a task or resolution is the item's own: a hold-out item cannot pose as pool
ALTER TABLE annotation_task ADD CONSTRAINT task_split_is_the_items
    FOREIGN KEY (item_id, split) REFERENCES content_item (id, split) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE annotation_resolution ADD CONSTRAINT resolution_split_is_the_items
    FOREIGN KEY (item_id, split) REFERENCES content_item (id, split) DEFERRABLE INITIALLY DEFERRED;

-- a queue is updated all day: leave room on the pages and clean early
ALTER TABLE annotation_task SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1);
ALTER TABLE annotation_lease SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial"), ("content", "0002_item_never_changes")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
