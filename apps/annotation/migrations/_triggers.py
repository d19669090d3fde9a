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

-- the same item always falls to the same place between Task.TOP and TOP + 2^52, in an order that is a random draw
CREATE FUNCTION annotation_arrival_rank(item bigint, seed bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 1000000 + (hashint8extended(item, seed) & 4503599627370495);

-- what a truth was before, and how sure: an undo gives both back
CREATE FUNCTION annotation_keep_past_truth() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER annotation_keep_past_truth AFTER UPDATE OR DELETE ON annotation_resolution
    FOR EACH ROW EXECUTE FUNCTION annotation_keep_past_truth();

-- Renaming and archiving happen where labels are kept; that they happened is noted here, whoever did it and how.
-- Inside another act on labels (marginalia.change is set) the act itself is the note.
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

-- the labels in a value, for indexes: several labels, or those of its spans
CREATE FUNCTION annotation_labels_of(value jsonb) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(value -> 'labels') = 'array'
            THEN ARRAY(SELECT one::bigint FROM jsonb_array_elements_text(value -> 'labels') one)
        WHEN jsonb_typeof(value -> 'spans') = 'array'
            THEN ARRAY(SELECT DISTINCT (span ->> 'label')::bigint FROM jsonb_array_elements(value -> 'spans') span)
        ELSE '{}'::bigint[] END
$$;
CREATE INDEX prediction_labels ON annotation_prediction USING gin (annotation_labels_of(value)) WHERE value IS NOT NULL;
CREATE INDEX resolution_labels ON annotation_resolution USING gin (annotation_labels_of(value)) WHERE value IS NOT NULL;

-- Whose item a lease is about, and whether its person had that item before, follows from the task: nobody else says so.
-- Only a task that asks on purpose may bring an item back; for the others the unique index refuses the second lease.
-- A held-out item keeps its reason however often people are asked: its later tasks are on purpose, too.
CREATE FUNCTION annotation_lease_of_item() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER annotation_lease_of_item BEFORE INSERT ON annotation_lease
    FOR EACH ROW EXECUTE FUNCTION annotation_lease_of_item();

-- the same place in [0, 1) for the same pair, whoever asks: draws that a second look cannot repeat
CREATE FUNCTION annotation_share(what bigint, draw bigint) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(what, draw) & 4503599627370495)::float8 / 4503599627370496;
"""
UNDO = """
ALTER TABLE annotation_task DROP CONSTRAINT task_split_is_the_items;
ALTER TABLE annotation_resolution DROP CONSTRAINT resolution_split_is_the_items;
DROP FUNCTION annotation_append_only() CASCADE;
DROP FUNCTION prediction_never_changes() CASCADE;
DROP FUNCTION annotation_arrival_rank(bigint, bigint);
DROP FUNCTION annotation_keep_past_truth() CASCADE;
DROP FUNCTION annotation_note_label_change() CASCADE;
DROP FUNCTION annotation_labels_of(jsonb) CASCADE;
DROP FUNCTION annotation_lease_of_item() CASCADE;
DROP FUNCTION annotation_share(bigint, bigint);
"""
