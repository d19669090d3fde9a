from django.db import migrations

# Renaming and archiving happen where labels are kept; that they happened is noted here, whoever did it and how.
# Inside another act on labels (marginalia.change is set) the act itself is the note.
SQL = """
CREATE FUNCTION annotation_note_label_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('marginalia.change', true), '') <> '' THEN
        RETURN NULL;
    END IF;
    INSERT INTO annotation_change (project_id, kind, by_id, what, n, created_at)
    SELECT NEW.project_id, kind, nullif(current_setting('marginalia.by', true), '')::bigint, what, 0, clock_timestamp()
    FROM (VALUES
        ('rename', NEW.name <> OLD.name, jsonb_build_object('before', jsonb_build_object(NEW.id::text,
            jsonb_build_object('name', OLD.name)), 'from', OLD.name, 'to', NEW.name)),
        ('archive', (NEW.archived_at IS NULL) <> (OLD.archived_at IS NULL), jsonb_build_object(
            'before', jsonb_build_object(NEW.id::text, jsonb_build_object('archived', OLD.archived_at IS NOT NULL,
                'hotkey', OLD.hotkey)), 'label', NEW.name, 'archived', NEW.archived_at IS NOT NULL))
    ) AS acts (kind, happened, what) WHERE happened;
    RETURN NULL;
END $$;
CREATE TRIGGER annotation_note_label_change AFTER UPDATE OF name, archived_at ON projects_label
    FOR EACH ROW EXECUTE FUNCTION annotation_note_label_change();
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0011_gold_says_one_thing"), ("projects", "0005_merged_labels")]
    operations = [
        migrations.RunSQL(
            SQL,
            "DROP TRIGGER annotation_note_label_change ON projects_label; DROP FUNCTION annotation_note_label_change()",
        )
    ]
