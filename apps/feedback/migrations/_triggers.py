SQL = """
-- counters for when Redis or Valkey is away; losing them in a crash only opens new windows
CREATE UNLOGGED TABLE feedback_intake_count (
    bucket text PRIMARY KEY,
    used bigint NOT NULL,
    ends timestamptz NOT NULL
);

CREATE FUNCTION reward_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- what it was for may be forgotten, as when a person's signals are erased; the points stay as they were
    IF (to_jsonb(NEW) - 'signal_id' - 'ticket_id') IS DISTINCT FROM (to_jsonb(OLD) - 'signal_id' - 'ticket_id')
       OR (NEW.signal_id IS NOT NULL AND NEW.signal_id IS DISTINCT FROM OLD.signal_id)
       OR (NEW.ticket_id IS NOT NULL AND NEW.ticket_id IS DISTINCT FROM OLD.ticket_id) THEN
        RAISE EXCEPTION 'The ledger never changes; add an entry.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reward_append_only BEFORE UPDATE ON feedback_rewardentry
    FOR EACH ROW EXECUTE FUNCTION reward_append_only();

CREATE FUNCTION reward_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM projects_project WHERE id = OLD.project_id) THEN
        RAISE EXCEPTION 'The ledger never changes; add an entry.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
-- looked at when the transaction ends: the ledger goes with its project, and only with it
CREATE CONSTRAINT TRIGGER reward_never_deleted AFTER DELETE ON feedback_rewardentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION reward_never_deleted();
"""
UNDO = """
DROP TABLE feedback_intake_count;
DROP FUNCTION reward_append_only() CASCADE;
DROP FUNCTION reward_never_deleted() CASCADE;
"""
