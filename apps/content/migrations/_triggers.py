SQL = """
CREATE FUNCTION item_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.text IS DISTINCT FROM OLD.text OR NEW.text_hash IS DISTINCT FROM OLD.text_hash
       OR NEW.split IS DISTINCT FROM OLD.split OR NEW.project_id IS DISTINCT FROM OLD.project_id THEN
        RAISE EXCEPTION 'An item''s text and split never change.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER item_never_changes BEFORE UPDATE OF text, text_hash, split, project_id ON content_item
    FOR EACH ROW EXECUTE FUNCTION item_never_changes();
ALTER TABLE content_vector ALTER COLUMN vector SET STORAGE PLAIN;
"""
UNDO = """
DROP FUNCTION item_never_changes() CASCADE;
"""
