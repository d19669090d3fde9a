SQL = """
CREATE FUNCTION version_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- a deleted user or parent may be forgotten; what the model is may not change
    IF (to_jsonb(NEW) - 'created_by_id' - 'parent_id') IS DISTINCT FROM (to_jsonb(OLD) - 'created_by_id' - 'parent_id') THEN
        RAISE EXCEPTION 'A model version never changes.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_never_changes BEFORE UPDATE ON registry_modelversion
    FOR EACH ROW EXECUTE FUNCTION version_never_changes();
"""
UNDO = """
DROP FUNCTION version_never_changes() CASCADE;
"""
