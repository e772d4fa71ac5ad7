-- documents.sql: phase 6, Request Info: the documents that data owners hand in.

CREATE TABLE vouch_data.document_submission (
	bucket int NOT NULL,
	submission_id uuid NOT NULL,
	subject text NOT NULL,
	cycle_id bigint NOT NULL,
	report_id bigint NOT NULL,
	lob_id text NOT NULL CHECK (lob_id <> ''),
	document_id text NOT NULL CHECK (document_id <> ''),
	document_version int NOT NULL,
	submission_type text NOT NULL CHECK (submission_type IN ('initial', 'revision', 'supplemental')),
	status text NOT NULL CHECK (status IN ('pending_review', 'accepted', 'rejected')),
	is_current boolean NOT NULL,
	replaces_submission_id uuid,
	metadata jsonb NOT NULL,
	content_digest bytea NOT NULL,
	submitted_by text NOT NULL,
	submitted_at timestamptz NOT NULL,
	reviewed_by text,
	reviewed_at timestamptz,
	review_notes text,
	PRIMARY KEY (bucket, submission_id),
	UNIQUE (bucket, subject, lob_id, document_id, document_version)
);
CREATE UNIQUE INDEX document_submission_current ON vouch_data.document_submission (bucket, subject, lob_id, document_id) WHERE is_current;
COMMENT ON TABLE vouch_data.document_submission IS
'Documents handed in by data owners, one row a version of a document; the newest is current. Written by vouch.submit_document()';
COMMENT ON COLUMN vouch_data.document_submission.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.document_submission.submission_id IS 'Its id';
COMMENT ON COLUMN vouch_data.document_submission.subject IS 'Subject, such as cycle-7-report-3';
COMMENT ON COLUMN vouch_data.document_submission.cycle_id IS 'Test cycle';
COMMENT ON COLUMN vouch_data.document_submission.report_id IS 'Report under test';
COMMENT ON COLUMN vouch_data.document_submission.lob_id IS 'Line of business that handed it in';
COMMENT ON COLUMN vouch_data.document_submission.document_id IS 'The owner''s name for the document, the same in all its versions';
COMMENT ON COLUMN vouch_data.document_submission.document_version IS '1, 2, 3';
COMMENT ON COLUMN vouch_data.document_submission.submission_type IS 'initial, revision or supplemental';
COMMENT ON COLUMN vouch_data.document_submission.status IS 'pending_review until it was tested, then accepted, or rejected when it says nothing of the samples';
COMMENT ON COLUMN vouch_data.document_submission.is_current IS 'True for the newest version';
COMMENT ON COLUMN vouch_data.document_submission.replaces_submission_id IS 'The version before';
COMMENT ON COLUMN vouch_data.document_submission.metadata IS 'What the owner said of it; samples holds the source values: {sample id: {attribute: value}}';
COMMENT ON COLUMN vouch_data.document_submission.content_digest IS 'vouch.digest(metadata)';
COMMENT ON COLUMN vouch_data.document_submission.submitted_by IS 'Who handed it in';
COMMENT ON COLUMN vouch_data.document_submission.submitted_at IS 'When';
COMMENT ON COLUMN vouch_data.document_submission.reviewed_by IS 'In whose name the test ran that accepted or rejected it';
COMMENT ON COLUMN vouch_data.document_submission.reviewed_at IS 'When';
COMMENT ON COLUMN vouch_data.document_submission.review_notes IS 'Why';

CREATE TABLE vouch_data.document_revision (
	bucket int NOT NULL,
	revision_id uuid NOT NULL,
	submission_id uuid NOT NULL,
	previous_submission_id uuid NOT NULL,
	revision_type text NOT NULL CHECK (revision_type IN ('content_update', 'metadata_change', 'resubmission')),
	reason text,
	changed_fields text[] NOT NULL,
	revised_by text NOT NULL,
	revised_at timestamptz NOT NULL,
	op_no int NOT NULL,
	PRIMARY KEY (bucket, revision_id)
);
COMMENT ON TABLE vouch_data.document_revision IS 'What each new version of a document changed; rows are only ever added';
COMMENT ON COLUMN vouch_data.document_revision.bucket IS 'Bucket of the subject';
COMMENT ON COLUMN vouch_data.document_revision.revision_id IS 'Its id, ordered by time';
COMMENT ON COLUMN vouch_data.document_revision.submission_id IS 'The new version';
COMMENT ON COLUMN vouch_data.document_revision.previous_submission_id IS 'The version before';
COMMENT ON COLUMN vouch_data.document_revision.revision_type IS 'content_update: source values changed; metadata_change: only other metadata; resubmission: the version before was rejected';
COMMENT ON COLUMN vouch_data.document_revision.reason IS 'Why, from revision_reason in the metadata';
COMMENT ON COLUMN vouch_data.document_revision.changed_fields IS 'What differs: names of metadata fields, and samples.<id>.<attribute> for source values';
COMMENT ON COLUMN vouch_data.document_revision.revised_by IS 'Who handed in the new version';
COMMENT ON COLUMN vouch_data.document_revision.revised_at IS 'When';
COMMENT ON COLUMN vouch_data.document_revision.op_no IS 'Its operation in the log of the artifact (subject, request_info, line of business)';
SELECT pg_catalog.pg_extension_config_dump('vouch_data.document_submission', '');
SELECT pg_catalog.pg_extension_config_dump('vouch_data.document_revision', '');

-- Names of what differs between two versions of a document's metadata.
CREATE FUNCTION vouch_data.changed_fields(before jsonb, after jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(f ORDER BY f), '{}') FROM (
		SELECT k AS f FROM (SELECT jsonb_object_keys(before) UNION SELECT jsonb_object_keys(after)) AS x(k)
		WHERE k <> 'samples' AND before -> k IS DISTINCT FROM after -> k
		UNION ALL
		SELECT format('samples.%s.%s', coalesce(a.s, b.s), coalesce(a.k, b.k))
		FROM (SELECT s.key AS s, v.key AS k, v.value AS v FROM jsonb_each(CASE jsonb_typeof(before -> 'samples') WHEN 'object' THEN before -> 'samples' ELSE '{}' END) AS s,
			jsonb_each(CASE jsonb_typeof(s.value) WHEN 'object' THEN s.value ELSE '{}' END) AS v) AS a
		FULL JOIN (SELECT s.key AS s, v.key AS k, v.value AS v FROM jsonb_each(CASE jsonb_typeof(after -> 'samples') WHEN 'object' THEN after -> 'samples' ELSE '{}' END) AS s,
			jsonb_each(CASE jsonb_typeof(s.value) WHEN 'object' THEN s.value ELSE '{}' END) AS v) AS b ON a.s = b.s AND a.k = b.k
		WHERE a.v IS DISTINCT FROM b.v) AS d
$$;
COMMENT ON FUNCTION vouch_data.changed_fields(jsonb, jsonb) IS 'Names of the fields and source values that differ between two versions of a document''s metadata';

CREATE FUNCTION vouch.submit_document(cycle_id bigint, report_id bigint, lob_id text, document_id text,
	submitted_by text DEFAULT NULL, document_metadata jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	subject text := vouch_data.cycle_subject(cycle_id, report_id);
	b int := vouch.bucket(subject);
	who text := vouch_data.check_actor(submitted_by, 'submitted_by');
	meta jsonb := coalesce(document_metadata, '{}');
	old vouch_data.document_submission;
	new vouch_data.document_submission;
	revision vouch_data.document_revision;
	written jsonb := '{}';
	op int;
	kind text := meta ->> 'submission_type';
	changed text[];
BEGIN
	IF coalesce(lob_id, '') = '' OR coalesce(document_id, '') = '' THEN
		RAISE EXCEPTION 'no % given', CASE WHEN coalesce(lob_id, '') = '' THEN 'lob_id' ELSE 'document_id' END
			USING ERRCODE = 'VO502', HINT = 'Name the line of business and the document.';
	ELSIF jsonb_typeof(meta) <> 'object' OR jsonb_typeof(coalesce(meta -> 'samples', '{}')) <> 'object' THEN
		RAISE EXCEPTION 'document_metadata does not describe a document'
			USING ERRCODE = 'VO502', DETAIL = 'It is an object; its samples, if any, are an object, too.',
				HINT = 'Give {"title": …, "samples": {"<sample id>": {"<attribute>": value}}}.';
	ELSIF kind NOT IN ('initial', 'revision', 'supplemental') THEN
		RAISE EXCEPTION 'there is no submission type "%"', kind
			USING ERRCODE = 'VO502', HINT = 'Use initial, revision or supplemental, or leave it out.';
	END IF;
	PERFORM vouch_data.check_name(lob_id, 'lob_id'), vouch_data.check_name(document_id, 'document_id'),
		vouch_data.check_payload(meta, 'document_metadata'), vouch_data.check_text(meta ->> 'revision_reason', 'revision_reason');
	IF NOT EXISTS (SELECT FROM vouch_data.data_owner_assignment a
		WHERE a.bucket = b AND a.subject = subject AND a.lob_id = lob_id AND a.owner_id = who AND a.status = 'active')
	THEN
		PERFORM vouch_data.require_role(who, 'data_owner', lob_id, format('hand in documents for %s', lob_id));
	END IF;
	-- locks the artifact, so that what is read below stands until the end
	op := vouch_data.lock_phase(cycle_id, report_id, 'request_info', lob_id);
	SELECT * INTO old FROM vouch_data.document_submission d
	WHERE d.bucket = b AND d.subject = subject AND d.lob_id = lob_id AND d.document_id = document_id AND d.is_current;
	IF old.submission_id IS NOT NULL AND old.metadata = meta THEN
		RAISE EXCEPTION 'document "%" is the same as its version %', document_id, old.document_version
			USING ERRCODE = 'VO502', DETAIL = format('It was handed in by %s, and is %s.', old.submitted_by, old.status),
				HINT = 'A new version must differ from the one before.';
	END IF;
	IF old.submission_id IS NOT NULL THEN
		UPDATE vouch_data.document_submission d SET is_current = false
		WHERE d.bucket = b AND d.submission_id = old.submission_id
		RETURNING * INTO old;
		written := vouch_data.recorded('document_submission', old.submission_id, old);
	END IF;
	INSERT INTO vouch_data.document_submission
	VALUES (b, vouch_data.event_id(b), subject, cycle_id, report_id, lob_id, document_id, coalesce(old.document_version, 0) + 1,
		coalesce(kind, CASE WHEN old.submission_id IS NULL THEN 'initial' ELSE 'revision' END), 'pending_review', true,
		old.submission_id, meta, vouch.digest(meta), who, clock_timestamp())
	RETURNING * INTO new;
	written := written || vouch_data.recorded('document_submission', new.submission_id, new);
	IF old.submission_id IS NOT NULL THEN
		changed := vouch_data.changed_fields(old.metadata, meta);
		INSERT INTO vouch_data.document_revision
		VALUES (b, vouch_data.event_id(b), new.submission_id, old.submission_id,
			CASE WHEN old.status = 'rejected' THEN 'resubmission'
				WHEN EXISTS (SELECT FROM unnest(changed) AS c WHERE c LIKE 'samples.%') THEN 'content_update' ELSE 'metadata_change' END,
			meta ->> 'revision_reason', changed, who, clock_timestamp(), op)
		RETURNING * INTO revision;
		written := written || vouch_data.recorded('document_revision', revision.revision_id, revision);
	END IF;
	PERFORM vouch_data.log_phase(cycle_id, report_id, 'request_info', lob_id, 'submit_document',
		jsonb_build_object('document_id', document_id, 'digest', encode(vouch.digest(meta), 'hex'), 'rows', written), 1, who);
	PERFORM vouch_data.tell_cycle(subject || '/lob-' || lob_id, 'document_submitted',
		jsonb_build_object('submission_id', new.submission_id, 'document_id', document_id, 'document_version', new.document_version))
	WHERE vouch_data.acting_workflow() IS NULL;
	RETURN jsonb_build_object('phase', 'request_info', 'state', 'recorded', 'version_id', NULL, 'version_number', new.document_version,
		'submission_id', new.submission_id, 'document_id', document_id, 'document_version', new.document_version, 'lob_id', lob_id,
		'submission_type', new.submission_type, 'status', new.status, 'is_current', true, 'replaces_submission_id', old.submission_id,
		'changed_fields', to_jsonb(changed), 'submitted_by', who,
		'samples', (SELECT count(*) FROM jsonb_object_keys(coalesce(meta -> 'samples', '{}'))));
END
$$;
COMMENT ON FUNCTION vouch.submit_document(bigint, bigint, text, text, text, jsonb) IS
'Hands in a document for a line of business, or a new version of it under the same document_id (at most 1,000 bytes). document_metadata: {samples: {sample id: {attribute: source value}}, submission_type, revision_reason, …}. submitted_by must be the session''s actor (null: it), and be assigned to the line or hold the role data_owner for it (VO002). A running test cycle goes on with its test. VO501 when the metadata are larger than vouch.max_payload, VO502 for a revision_reason of more than 10,000 characters. Returns {submission_id, document_id, document_version, submission_type, status, is_current, replaces_submission_id, changed_fields, samples (how many), …}';

GRANT EXECUTE ON FUNCTION vouch_data.changed_fields(jsonb, jsonb) TO vouch_reader;
GRANT EXECUTE ON FUNCTION vouch.submit_document(bigint, bigint, text, text, text, jsonb) TO vouch_user;
