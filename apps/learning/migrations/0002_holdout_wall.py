from django.db import migrations

SQL = """
ALTER TABLE learning_snapshotrow ADD CONSTRAINT snapshot_split_is_the_items
    FOREIGN KEY (item_id, split) REFERENCES content_item (id, split) DEFERRABLE INITIALLY DEFERRED;
-- the only source of training labels: live head and snapshots read this view, which has no hold-out rows to give
CREATE VIEW learning_trainable AS
    SELECT r.item_id, r.project_id, r.label_id, r.changed_at, i.text_hash
    FROM annotation_resolution r
    JOIN content_item i ON i.id = r.item_id
    JOIN projects_label l ON l.id = r.label_id
    WHERE r.split = 'pool' AND i.split = 'pool' AND l.archived_at IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial"), ("annotation", "0002_walls")]
    operations = [migrations.RunSQL(SQL, "DROP VIEW learning_trainable")]
