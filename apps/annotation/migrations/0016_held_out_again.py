from django.db import migrations, models

# A held-out item keeps its reason however often people are asked: its later tasks are on purpose, too.
SQL = """
CREATE OR REPLACE FUNCTION annotation_lease_of_item() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    on_purpose boolean;
BEGIN
    SELECT item_id, reason IN ('feedback', 'flip', 'suspect', 'chosen') OR reason = 'holdout' AND EXISTS (
        SELECT 1 FROM annotation_task before WHERE before.item_id = t.item_id AND before.id < t.id)
    INTO NEW.item_id, on_purpose FROM annotation_task t WHERE id = NEW.task_id;
    NEW.again := on_purpose AND EXISTS (
        SELECT 1 FROM annotation_lease
        WHERE item_id = NEW.item_id AND annotator_id = NEW.annotator_id AND NOT again AND task_id <> NEW.task_id);
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0015_lease_of_person")]
    operations = [
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="task", name="task_gold"),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(condition=models.Q(("state", "gold")), fields=["project", "id"], name="task_gold"),
        ),
    ]
