-- reviews.sql: what the activities that make, review and revise versions share.

-- Makes a version and submits it.  Where the newest one was sent back, the new
-- one is its revision: what was approved is carried forward.
CREATE FUNCTION vouch_data.propose_version(phase text, cycle_id bigint, report_id bigint, scope text, items jsonb, metadata jsonb,
	who text, parent uuid, revise boolean, reason text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	newest uuid := vouch_data.newest_version(subject, phase, scope);
	base uuid := coalesce(parent, newest);
	key_field text;
	made uuid;
	result jsonb;
BEGIN
	IF base IS NOT NULL AND revise AND vouch.get_version(base) ->> 'state' IN ('rejected', 'withdrawn') THEN
		SELECT p.item_key INTO key_field FROM vouch_data.phase p WHERE p.phase = phase;
		-- what stands as approved, unchanged, is carried and not proposed again
		SELECT coalesce(jsonb_agg(i.j ORDER BY i.o), '[]') INTO items
		FROM jsonb_array_elements(items) WITH ORDINALITY AS i(j, o)
		WHERE NOT EXISTS (SELECT FROM vouch_data.shown_items(base) AS s
			WHERE s.item_key = i.j ->> key_field AND s.status = 'approved' AND s.payload = i.j);
		made := vouch.create_revision(base, items, 'approved', reason, user_id => who);
	ELSE
		made := vouch.create_version(phase, cycle_id, report_id, items, scope, parent, coalesce(metadata, '{}'), user_id => who);
	END IF;
	PERFORM vouch.submit_version(made, user_id => who);
	result := vouch.get_version(made);
	IF (newest IS NOT NULL OR phase = 'finalize_test_report') AND vouch_data.acting_workflow() IS NULL THEN
		PERFORM vouch_data.tell_cycle(CASE WHEN scope = '' THEN subject ELSE subject || '/lob-' || scope END,
			CASE phase WHEN 'observation_management' THEN 'observation' ELSE phase END || '_revision',
			jsonb_build_object('version_id', made));
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION vouch_data.propose_version(text, bigint, bigint, text, jsonb, jsonb, text, uuid, boolean, text) IS
'Makes a version of an artifact and submits it; revise lets it be a revision of one that was rejected or withdrawn, which carries what was approved. A running test cycle is told of it';

-- Enters a review, and closes the version when the review says so.
CREATE FUNCTION vouch_data.process_review(version_id uuid, phase text, user_id text, review jsonb, complete_approves boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	who text := vouch_data.check_actor(user_id, 'user_id');
	v jsonb := vouch.get_version(version_id);
	is_array boolean := jsonb_typeof(review) = 'array';
	decisions jsonb;
	remaining jsonb;
	approves boolean;
	revises boolean;
	notes text;
	decided int := 0;
	next_step text;
BEGIN
	IF v ->> 'phase' <> phase THEN
		RAISE EXCEPTION 'version % of % is none of %', v ->> 'version_number', v ->> 'phase_label',
				(SELECT p.label FROM vouch_data.phase p WHERE p.phase = phase)
			USING ERRCODE = 'VO502', HINT = 'Call the function of its phase.';
	ELSIF review IS NULL OR jsonb_typeof(review) NOT IN ('array', 'object') THEN
		RAISE EXCEPTION 'the review is neither an array of decisions nor an object'
			USING ERRCODE = 'VO108',
				HINT = 'Give [{"item_key": "…", "decision": "approved", "notes": "…"}], or {"decisions": […], "approved": true, "notes": "…"}.';
	ELSIF review ->> 'version_id' <> version_id::text THEN
		RAISE EXCEPTION 'the review is of another version than version % of %', v ->> 'version_number', v ->> 'phase_label'
			USING ERRCODE = 'VO111', DETAIL = format('It names version %s.', review ->> 'version_id'),
				HINT = 'Look at the new version and review that.';
	END IF;
	-- an object says what becomes of the version; {"item": "approved"} alone is a list of decisions
	decisions := CASE WHEN is_array THEN review ELSE coalesce(review -> 'decisions', review -> 'item_decisions', '[]') END;
	IF jsonb_typeof(decisions) = 'array' THEN
		SELECT coalesce(jsonb_agg(CASE WHEN d ? 'decision' OR jsonb_typeof(d) <> 'object' THEN d
				ELSE d || jsonb_build_object('decision', coalesce(d -> 'status', d -> 'decision_status', d -> 'verdict')) END ORDER BY o), '[]')
		INTO decisions
		FROM jsonb_array_elements(decisions) WITH ORDINALITY AS x(d, o);
	END IF;
	IF coalesce(jsonb_typeof(review -> 'approved'), 'null') NOT IN ('boolean', 'null')
		OR coalesce(jsonb_typeof(review -> 'needs_revision'), 'null') NOT IN ('boolean', 'null')
	THEN
		RAISE EXCEPTION 'the review''s verdict is neither true nor false'
			USING ERRCODE = 'VO108', DETAIL = format('It has approved %s and needs_revision %s.', coalesce(review -> 'approved', 'null'), coalesce(review -> 'needs_revision', 'null')),
				HINT = 'Give "approved": true, "needs_revision": true, or neither, without quotes.';
	END IF;
	approves := (review ->> 'approved')::boolean;
	revises := coalesce((review ->> 'needs_revision')::boolean, false);
	notes := review ->> 'notes';
	IF approves AND revises THEN
		RAISE EXCEPTION 'the review both approves and asks for a revision'
			USING ERRCODE = 'VO108', HINT = 'Give either "approved": true or "needs_revision": true.';
	END IF;
	IF decisions NOT IN ('[]', '{}') THEN
		PERFORM vouch.decide(version_id, decisions, user_id => who);
		decided := CASE jsonb_typeof(decisions) WHEN 'array' THEN jsonb_array_length(decisions) ELSE (SELECT count(*) FROM jsonb_object_keys(decisions)) END;
	END IF;
	IF review ->> 'remaining' IS NOT NULL THEN
		SELECT jsonb_agg(jsonb_build_object('item_key', s.item_key, 'decision', review ->> 'remaining', 'notes', notes)) INTO remaining
		FROM vouch_data.shown_items(version_id) AS s WHERE s.status = 'pending';
		IF remaining IS NOT NULL THEN
			PERFORM vouch.decide(version_id, remaining, user_id => who);
			decided := decided + jsonb_array_length(remaining);
		END IF;
	END IF;
	v := vouch.get_version(version_id);
	IF is_array AND complete_approves AND decided > 0 AND v -> 'approved' = v -> 'item_count' AND v ->> 'state' = 'pending_approval' THEN
		approves := true;
	END IF;
	IF approves THEN
		PERFORM vouch.approve_version(version_id, notes, user_id => who);
	ELSIF revises OR NOT approves THEN
		PERFORM vouch.reject_version(version_id, coalesce(notes, 'Needs revision.'), user_id => who);
	ELSIF decided = 0 THEN
		RAISE EXCEPTION 'the review says nothing'
			USING ERRCODE = 'VO108', DETAIL = 'It has no decisions, and neither approved nor needs_revision.',
				HINT = 'Give decisions, "approved": true, or "needs_revision": true with notes.';
	END IF;
	v := vouch.get_version(version_id);
	next_step := CASE
		WHEN v ->> 'state' = 'approved' THEN format('%s is approved.', v ->> 'phase_label')
		WHEN v ->> 'state' = 'rejected' THEN 'The version was sent back: make a revision of it.'
		WHEN (v ->> 'pending')::bigint > 0 THEN format('%s items wait for a decision.', v ->> 'pending')
		WHEN (v ->> 'needs_changes')::bigint > 0 THEN format('%s items need changes: send it back with {"needs_revision": true}.', v ->> 'needs_changes')
		ELSE 'Every item is decided: close the review with {"approved": true} or {"needs_revision": true}.' END;
	RETURN v || jsonb_build_object('decided', decided, 'reviewed_by', who, 'next', next_step);
END
$$;
COMMENT ON FUNCTION vouch_data.process_review(uuid, text, text, jsonb, boolean) IS
'What the process_…_review functions do; complete_approves lets an array that leaves every item approved approve the version';

GRANT EXECUTE ON FUNCTION vouch_data.propose_version(text, bigint, bigint, text, jsonb, jsonb, text, uuid, boolean, text),
	vouch_data.process_review(uuid, text, text, jsonb, boolean), vouch_data.tell_cycle(text, text, jsonb) TO vouch_user;
