from django.db import migrations

SQL = """
-- the only source of training truths; a row has either a label or the value of another task kind
CREATE OR REPLACE VIEW learning_trainable AS
    SELECT r.item_id, r.project_id, r.label_id, r.changed_at, i.text_hash, NULL::jsonb AS value
    FROM annotation_resolution r
    JOIN content_item i ON i.id = r.item_id
    JOIN projects_label l ON l.id = r.label_id
    WHERE r.split = 'pool' AND i.split = 'pool' AND l.archived_at IS NULL
    UNION ALL
    SELECT r.item_id, r.project_id, r.label_id, r.changed_at, i.text_hash, r.value
    FROM annotation_resolution r
    JOIN content_item i ON i.id = r.item_id
    WHERE r.split = 'pool' AND i.split = 'pool' AND r.label_id IS NULL AND r.value IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("learning", "0006_task_kinds"), ("annotation", "0006_values")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
