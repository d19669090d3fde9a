"""The statement that hands out tasks, with and without gold among them, and the one that looks whether any is left.

Their values: project, user, lease (seconds), ahead (leases to hold), overlap_draw, overlap_share, overlap_wanted,
blind_draw, blind_share; with gold also draws (a boolean per place), dice (where to begin, in [0, 1)) and training (gold
items a newcomer begins with).
"""

# Tests of a task `t`, each a look-up: OFFSET 0 keeps the planner from reading and sorting the whole queue for them.
# A person meets an item once (the database holds that, too); again only where it is asked about on purpose.
_FOR_ME = """
t.state = 'open' AND t.taken < t.wanted
AND CASE WHEN t.split = 'holdout' OR t.reason IN ('feedback', 'flip', 'suspect', 'chosen') THEN NOT EXISTS (
        SELECT 1 FROM annotation_lease l
        WHERE l.task_id = t.id AND l.annotator_id = %(user)s AND l.state <> 'expired' OFFSET 0)
    ELSE NOT EXISTS (
        SELECT 1 FROM annotation_lease l
        WHERE l.item_id = t.item_id AND l.annotator_id = %(user)s AND NOT l.again
          AND (l.task_id <> t.id OR l.state <> 'expired') OFFSET 0) END
AND (t.others_until IS NULL OR t.others_until < now() OR NOT EXISTS (
        SELECT 1 FROM annotation_annotation a
        WHERE a.item_id = t.item_id AND a.annotator_id = %(user)s AND a.revision = 1 OFFSET 0))
AND NOT EXISTS (SELECT 1 FROM content_item i WHERE i.id = t.item_id AND i.archived_at IS NOT NULL OFFSET 0)
"""

# What SKIP LOCKED passes over are rows that another claim is taking, or that the head is ranking, at this moment.
# Tasks for named people stand in an index of their own: the others never read past them.
_CLAIM = """
WITH held AS (
    SELECT l.id, l.task_id, l.token, l.claimed_at, l.expires_at, l.shown
    FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
    WHERE l.annotator_id = %(user)s AND l.state = 'active' AND t.project_id = %(project)s AND NOT ({paused})
), ageing AS (
    SELECT id FROM annotation_lease
    WHERE id IN (SELECT id FROM held) AND state = 'active' AND expires_at < now() + %(lease)s * interval '0.5 second'
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE annotation_lease SET expires_at = now() + %(lease)s * interval '1 second'
    WHERE id IN (SELECT id FROM ageing)
), need AS MATERIALIZED (
    SELECT CASE WHEN {paused} THEN 0 ELSE greatest(0, %(ahead)s - (SELECT count(*) FROM held)) END AS n
){gold}, picked AS (
    SELECT t.id, t.item_id, t.reason, t.rank, t.taken, t.wanted FROM annotation_task t
    WHERE t.project_id = %(project)s AND t.audience_id IS NULL AND {for_me}
    ORDER BY t.rank LIMIT {places}
    FOR UPDATE {waiting}
), named AS (
    SELECT mine.* FROM annotation_audience_people p
    JOIN annotation_audience a ON a.id = p.audience_id AND a.project_id = %(project)s
    CROSS JOIN LATERAL (
        SELECT t.id, t.item_id, t.reason, t.rank, t.taken, t.wanted FROM annotation_task t
        WHERE t.audience_id = a.id AND {for_me}
        ORDER BY t.rank LIMIT {places}
        FOR UPDATE {waiting}
    ) mine
    WHERE p.user_id = %(user)s
), chosen AS (
    -- who is first to take a task finds out how many it is for: the project's share may have grown since it came;
    -- what somebody sent to the queue is for as many as they said
    SELECT id, CASE WHEN for_all AND taken = 0 AND rank >= 0 AND reason <> 'chosen'
                         AND annotation_share(item_id, %(overlap_draw)s) < %(overlap_share)s
                    THEN greatest(wanted, %(overlap_wanted)s) ELSE wanted END AS wanted
    FROM (SELECT *, true AS for_all FROM picked UNION ALL SELECT *, false FROM named) found
    ORDER BY rank LIMIT {places}
), taken AS (
    UPDATE annotation_task t
    SET taken = t.taken + 1, wanted = chosen.wanted,
        state = CASE WHEN t.taken + 1 >= chosen.wanted THEN 'full' ELSE 'open' END
    FROM chosen WHERE t.id = chosen.id AND t.state = 'open' AND t.taken < t.wanted
    RETURNING t.id, t.suggestion
), given AS (
    SELECT id, suggestion FROM taken{given_gold}
), leased AS (
    INSERT INTO annotation_lease AS l (task_id, annotator_id, token, state, claimed_at, expires_at, shown, hidden)
    SELECT id, %(user)s, gen_random_uuid(), 'active', statement_timestamp(), now() + %(lease)s * interval '1 second',
           CASE WHEN annotation_share(id, %(blind_draw)s) >= %(blind_share)s THEN suggestion END,
           CASE WHEN annotation_share(id, %(blind_draw)s) < %(blind_share)s THEN suggestion END
    FROM given
    ON CONFLICT (task_id, annotator_id) DO UPDATE
    SET state = 'active', claimed_at = excluded.claimed_at, expires_at = excluded.expires_at,
        shown = excluded.shown, hidden = excluded.hidden
    WHERE l.state = 'expired'
    RETURNING l.id, l.task_id, l.token, l.claimed_at, l.expires_at, l.shown
), mine AS (SELECT * FROM held UNION ALL SELECT * FROM leased)
SELECT m.id, m.task_id, m.token, m.claimed_at, m.expires_at, m.shown,
       t.item_id, t.split, CASE t.reason WHEN 'gold' THEN 'random' ELSE t.reason END, t.score, t.rank, t.wanted,
       i.external_id, i.text, i.language, i.subject, i.meta, i.created_at, i.thread, i.url,
       i.thread <> '' OR EXISTS (SELECT 1 FROM annotation_comment c WHERE c.item_id = i.id),
       lost.places
FROM (SELECT (SELECT count(*) FROM given) - (SELECT count(*) FROM leased) AS places) lost
LEFT JOIN (mine m JOIN annotation_task t ON t.id = m.task_id JOIN content_item i ON i.id = t.item_id) ON true
ORDER BY m.claimed_at, t.rank
"""

_PAUSED = """EXISTS (SELECT 1 FROM projects_membership
    WHERE project_id = %(project)s AND user_id = %(user)s AND paused_at IS NOT NULL)"""

# Gold tasks are never taken: everybody may have each once. A newcomer gets nothing else until they had their number;
# for the others `draws` says of each place whether it is for gold. Which one comes is drawn anew each time.
_GOLD = """, wish AS MATERIALIZED (
    SELECT CASE WHEN newcomer THEN least(n, greatest(0, %(training)s - had))
                ELSE (SELECT count(*) FROM unnest(%(draws)s::boolean[]) WITH ORDINALITY d (gold, place)
                      WHERE gold AND place > %(ahead)s - n) END AS n
    FROM need, (SELECT EXISTS (SELECT 1 FROM projects_membership WHERE project_id = %(project)s
                               AND user_id = %(user)s AND trained_at IS NULL AND %(training)s > 0) AS newcomer) who,
         LATERAL (SELECT CASE WHEN newcomer THEN (
             SELECT count(*) FROM annotation_task t JOIN annotation_lease l ON l.task_id = t.id
             WHERE t.project_id = %(project)s AND t.reason = 'gold'
               AND l.annotator_id = %(user)s AND l.state IN ('active', 'answered')) END AS had) training
), pivot AS MATERIALIZED (
    SELECT min(id) + floor(%(dice)s * (max(id) - min(id) + 1))::bigint AS id FROM annotation_task
    WHERE project_id = %(project)s AND state = 'gold'
), golden AS (
    SELECT id, suggestion FROM (
        ({from_pivot} AND t.id >= (SELECT id FROM pivot) ORDER BY t.id LIMIT (SELECT n FROM wish))
        UNION ALL
        ({from_pivot} AND t.id < (SELECT id FROM pivot) ORDER BY t.id LIMIT (SELECT n FROM wish))
    ) circle LIMIT (SELECT n FROM wish)
)"""
_GOLD_FOR_ME = """SELECT t.id, t.suggestion FROM annotation_task t
    WHERE t.project_id = %(project)s AND t.state = 'gold'
      AND EXISTS (SELECT 1 FROM annotation_gold g JOIN content_item i ON i.id = g.item_id
                  WHERE g.item_id = t.item_id AND g.retired_at IS NULL AND i.archived_at IS NULL
                    AND g.by_id IS DISTINCT FROM %(user)s OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM annotation_lease l
                      WHERE l.item_id = t.item_id AND l.annotator_id = %(user)s AND NOT l.again
                        AND (l.task_id <> t.id OR l.state <> 'expired') OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM annotation_annotation a WHERE a.item_id = t.item_id
                      AND a.annotator_id = %(user)s AND a.revision = 1 OFFSET 0)"""
_GIVEN_GOLD = " UNION ALL SELECT id, suggestion FROM golden"
_PLACES_BESIDE_GOLD = "(SELECT greatest(0, n - (SELECT count(*) FROM golden)) FROM need)"


def _claim_statement(*, waiting: str, gold: bool) -> str:
    return _CLAIM.format(
        paused=_PAUSED,
        gold=_GOLD.format(from_pivot=_GOLD_FOR_ME) if gold else "",
        given_gold=_GIVEN_GOLD if gold else "",
        places=_PLACES_BESIDE_GOLD if gold else "(SELECT n FROM need)",
        for_me=_FOR_ME,
        waiting=waiting,
    )


CLAIMS = {  # by (pass over what is locked, with gold)
    (free, gold): _claim_statement(waiting="SKIP LOCKED" if free else "", gold=gold)
    for free in (True, False)
    for gold in (True, False)
}

_ANY_FOR_ME = """
SELECT 1 FROM annotation_task t
WHERE t.project_id = %(project)s AND NOT ({paused}) AND {for_me}
  AND (t.audience_id IS NULL OR EXISTS (SELECT 1 FROM annotation_audience_people p
                                        WHERE p.audience_id = t.audience_id AND p.user_id = %(user)s))
LIMIT 1
"""
ANY_FOR_ME = _ANY_FOR_ME.format(paused=_PAUSED, for_me=_FOR_ME)
