SQL = """
ALTER TABLE learning_snapshotrow ADD CONSTRAINT snapshot_split_is_the_items
    FOREIGN KEY (item_id, split) REFERENCES content_item (id, split) DEFERRABLE INITIALLY DEFERRED;
-- the only source of training truths: live head and snapshots read this view, which has no hold-out rows to give;
-- a row has either a label or the value of another task kind
CREATE VIEW learning_trainable AS
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

CREATE FUNCTION learning_weak_wall() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said feedback_signal%ROWTYPE;
    home bigint;
    own bytea;
BEGIN
    SELECT * INTO said FROM feedback_signal WHERE id = NEW.signal_id;
    SELECT project_id INTO home FROM learning_snapshot WHERE id = NEW.snapshot_id;
    own := sha256(convert_to(replace(replace(said.text, E'\\r\\n', E'\\n'), E'\\r', E'\\n'), 'UTF8'));
    IF said.project_id IS DISTINCT FROM home OR NOT said.consent OR said.text = '' OR NEW.text_hash <> own THEN
        RAISE EXCEPTION 'A text is learnt from with consent only, in its own project and under its own hash.'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM content_item i
        WHERE i.project_id = home AND (i.text_hash = own OR i.id = said.item_id) AND (
            i.split = 'holdout' OR EXISTS (
                SELECT 1 FROM annotation_resolution r
                WHERE r.item_id = i.id AND (r.label_id IS NOT NULL OR r.value IS NOT NULL)))
    ) THEN
        RAISE EXCEPTION 'What users said of a text that is held out, or has a truth, is not learnt from.'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER learning_weak_wall BEFORE INSERT OR UPDATE ON learning_snapshotweak
    FOR EACH ROW EXECUTE FUNCTION learning_weak_wall();
"""
UNDO = """
ALTER TABLE learning_snapshotrow DROP CONSTRAINT snapshot_split_is_the_items;
DROP VIEW learning_trainable;
DROP FUNCTION learning_weak_wall() CASCADE;
"""
