-- The public contract: every function with the names of its arguments, every view, what is commented, and who may do what.
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
SET client_min_messages = warning;
BEGIN;
SELECT no_plan();

-- Functions and the arguments that callers name; more may follow.
CREATE TEMP TABLE contract (function text, arguments text[]);
INSERT INTO contract
SELECT split_part(line, '(', 1), CASE WHEN line LIKE '%()' THEN '{}' ELSE string_to_array(rtrim(split_part(line, '(', 2), ')'), ', ') END
FROM unnest(ARRAY[
	'define_workflow(name, definition, run_as, description)', 'validate_definition(definition)',
	'start_workflow(workflow, input, workflow_id, revision, on_conflict)', 'signal_workflow(workflow_id, signal, payload, dedup_key)',
	'signal_with_start()', 'cancel_workflow(workflow_id)', 'terminate_workflow(workflow_id)', 'pause_workflow(workflow_id)', 'resume_workflow(workflow_id)',
	'describe_workflow(workflow_id)', 'explain_workflow(workflow_id)', 'redrive_workflow(workflow_id)', 'fail(error, cause)', 'workflow_history(workflow_id)', 'wait_for_workflow(workflow_id, timeout)',
	'get_phase_statuses(workflow_id)', 'get_phase_versions(workflow_id)', 'get_pending_approvals(workflow_id)', 'get_parallel_instances(workflow_id)',
	'status()', 'advance(max)', 'run_worker()', 'state_machine()',
	'create_version(phase, cycle_id, report_id, items, scope, parent_version_id, metadata)',
	'create_version_from(phase, cycle_id, report_id, query)', 'create_revision(version_id, additional_items, carry, reason)',
	'decide(version_id, decisions)', 'decide_where(version_id, status, filter, notes)', 'submit_version(version_id)', 'withdraw_version(version_id)',
	'approve_version(version_id)', 'reject_version(version_id, reason)', 'sign_off(version_id, role, approved, comments, on_behalf_of)', 'what_if_submit(version_id)',
	'version_items(version_id)', 'diff_versions(a, b)', 'item_lineage(version_id, item_key)', 'version_history(phase, cycle_id, report_id, scope)', 'verify()',
	'explain_approval(version_id)', 'my_tasks(actor)', 'delegate()', 'grant_role(actor, role, scope)', 'digest(payload)', 'actor()', 'bucket_of(id)',
	'create_planning_version(cycle_id, report_id, user_id, attributes, parent_version_id)', 'approve_planning_version(version_id, user_id, notes)',
	'create_profiling_version(cycle_id, report_id, user_id, profiling_rules, source_data)', 'process_profiling_review(version_id, user_id, rule_decisions)',
	'create_scoping_version(cycle_id, report_id, user_id, scoping_decisions, criteria)', 'process_scoping_review(version_id, user_id, scoping_decisions)',
	'create_sample_selection_version(cycle_id, report_id, user_id, samples, selection_criteria, parent_version_id)', 'process_sample_review(version_id, user_id, decisions)',
	'create_sample_revision(cycle_id, report_id, user_id, parent_version_id, additional_samples)', 'approve_sample_selection(version_id, user_id, notes)',
	'assign_data_owner(cycle_id, report_id, lob_id, owner_id, assigned_by, assignment_type)',
	'submit_document(cycle_id, report_id, lob_id, document_id, submitted_by, document_metadata)',
	'record_test_action(cycle_id, report_id, test_execution_id, action_type, requested_by, action_details)',
	'update_test_response(audit_id, responded_by, response_status, response_notes)',
	'create_observation_version(cycle_id, report_id, user_id, observations, period_start, period_end)', 'process_observation_review(version_id, user_id, observation_decisions)',
	'create_report_version(cycle_id, report_id, user_id, report_data)', 'submit_report_signoff(version_id, user_id, role, approved, comments)',
	'get_planning_attributes(source)', 'generate_profiling_rules(source)', 'generate_scoping_recommendations(cycle_id, report_id)',
	'generate_sample_recommendations(source, key_column, lob_column, size, method, seed)', 'get_lobs_requiring_owners(cycle_id, report_id)',
	'generate_test_report_data(cycle_id, report_id)', 'start_test_cycle(cycle_id, report_id, source, key_column, lob_column, user_id)', 'install_test_cycle(run_as)',
	'track_table(source, phase, cycle_id, report_id, key, scope, subject, on_closed)', 'untrack_table(source)', 'sync_table(source, reason)',
	'restore_table(version_id, reason)', 'table_as_of(row_type, version_id)', 'resample(version_id)', 'redraw_samples(selection_criteria)',
	'phase_metrics(phase, cycle_id, report_id)', 'workflow_metrics(workflow_id)', 'version_trends(phase, days)', 'bottlenecks(cycle_id, report_id)',
	'user_activity(actor, days)', 'refresh_analytics()']) AS line;
SELECT ok(EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'vouch'::regnamespace AND p.proname = c.function
		AND (coalesce(p.proargnames, '{}'))[1:cardinality(c.arguments)] = c.arguments
		-- what follows may be left out
		AND p.pronargs - p.pronargdefaults <= greatest(cardinality(c.arguments), CASE WHEN cardinality(c.arguments) = 0 THEN p.pronargs ELSE 0 END)),
	format('vouch.%s(%s)', c.function, array_to_string(c.arguments, ', ')))
FROM contract c;

-- The activities of the nine phases return jsonb.
SELECT is((SELECT string_agg(DISTINCT format_type(p.prorettype, NULL), ', ') FROM pg_proc p
		WHERE p.pronamespace = 'vouch'::regnamespace AND p.proname = c.function), 'jsonb', c.function || ' returns jsonb')
FROM contract c
WHERE c.function ~ '^(create_(planning|profiling|scoping|sample|observation|report)_|process_|approve_(planning|sample)|assign_data|submit_(document|report)|record_test|update_test|get_p)';

-- Each phase as tables of its own.
SELECT has_view('vouch', v, 'view vouch.' || v) FROM unnest(ARRAY[
	'planning_phase_versions', 'attribute_decisions', 'data_profiling_versions', 'profiling_rule_decisions', 'scoping_versions', 'scoping_decisions',
	'sample_selection_versions', 'sample_decisions', 'observation_versions', 'observation_decisions', 'test_report_versions', 'test_report_sections',
	'test_report_signoffs', 'data_owner_assignments', 'data_owner_change_history', 'document_submissions', 'document_revision_history',
	'test_execution_audit', 'workflow_version_operations']) AS v;

-- Views show what who asks may see.
SELECT is((SELECT string_agg(c.relname, ', ') FROM pg_class c
	WHERE c.relkind = 'v' AND c.relnamespace IN ('vouch'::regnamespace, (SELECT oid FROM pg_namespace WHERE nspname = 'vouch_bi'))
	AND NOT coalesce(c.reloptions::text[] && ARRAY['security_invoker=true', 'security_invoker=on'], false)), NULL, 'every view is a security_invoker view');

-- The catalogue is the manual.
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p
	WHERE p.pronamespace IN ('vouch'::regnamespace, 'vouch_data'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL), NULL, 'every function is commented');
SELECT is((SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname IN ('vouch', 'vouch_data', 'vouch_bi') AND c.relkind IN ('r', 'p', 'v', 'm') AND obj_description(c.oid, 'pg_class') IS NULL), NULL, 'every table and view is commented');
SELECT is((SELECT string_agg(format('%s.%s', c.oid::regclass, a.attname), ', ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE n.nspname IN ('vouch', 'vouch_bi') AND c.relkind IN ('v', 'm') AND col_description(c.oid, a.attnum) IS NULL), NULL, 'every column of a public view is commented');
SELECT is((SELECT string_agg(t.oid::regtype::text, ', ' ORDER BY 1) FROM pg_type t
	WHERE t.typnamespace = 'vouch'::regnamespace AND t.typtype IN ('e', 'd') AND obj_description(t.oid, 'pg_type') IS NULL), NULL, 'every type is commented');

-- PUBLIC has nothing.
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS x
	WHERE p.pronamespace IN ('vouch'::regnamespace, 'vouch_data'::regnamespace) AND x.grantee = 0), NULL, 'PUBLIC may call no function');
SELECT is((SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS x
	WHERE n.nspname IN ('vouch', 'vouch_data', 'vouch_bi') AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND x.grantee = 0), NULL, 'PUBLIC may read and write no table');
SELECT is((SELECT string_agg(n.nspname, ', ') FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS x
	WHERE n.nspname IN ('vouch', 'vouch_data', 'vouch_bi') AND x.grantee = 0), NULL, 'PUBLIC may not look into the schemas');

-- Nobody writes a table directly; readers read and do not act.
SELECT is((SELECT string_agg(format('%s: %s for %s', c.oid::regclass, x.privilege_type, x.grantee::regrole), ', ' ORDER BY 1)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS x
	WHERE n.nspname IN ('vouch', 'vouch_data', 'vouch_bi') AND c.relkind IN ('r', 'p', 'v', 'm') AND x.grantee <> c.relowner AND x.privilege_type <> 'SELECT'), NULL, 'no table may be written to');
SELECT is((SELECT string_agg(c.function, ', ' ORDER BY 1) FROM contract c JOIN pg_proc p ON p.pronamespace = 'vouch'::regnamespace AND p.proname = c.function
	WHERE c.function ~ '^(create_|process_|approve_|reject_|decide|submit_|withdraw_|sign_off|assign_|record_|update_test|start_|signal_|delegate)'
	AND has_function_privilege('vouch_reader', p.oid, 'EXECUTE')), NULL, 'a reader may not act');
SELECT is((SELECT string_agg(c.function, ', ' ORDER BY 1) FROM contract c JOIN pg_proc p ON p.pronamespace = 'vouch'::regnamespace AND p.proname = c.function
	WHERE c.function ~ '^(create_|process_|approve_|reject_|decide|submit_|withdraw_|sign_off|assign_|record_|update_test|start_test_cycle|signal_workflow|delegate|get_|generate_)'
	AND NOT has_function_privilege('vouch_user', p.oid, 'EXECUTE')), NULL, 'a user may do all the work of the nine phases');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p
	WHERE p.pronamespace = 'vouch'::regnamespace AND p.proname IN ('grant_role', 'revoke_role', 'define_workflow', 'define_policy', 'install_test_cycle', 'register_application')
	AND has_function_privilege('vouch_user', p.oid, 'EXECUTE')), NULL, 'only an administrator configures');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p
	WHERE p.pronamespace = 'vouch_data'::regnamespace AND p.proname IN ('log_operation', 'log_phase', 'ensure_artifact', 'ship_workflow')
	AND (has_function_privilege('vouch_admin', p.oid, 'EXECUTE') OR has_function_privilege('vouch_user', p.oid, 'EXECUTE'))), NULL, 'nobody writes the log by hand');

-- What runs with its owner's rights finds nothing of the caller's.
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p
	WHERE p.pronamespace IN ('vouch'::regnamespace, 'vouch_data'::regnamespace) AND p.prosecdef
	AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)), NULL, 'SECURITY DEFINER functions pin their search_path');

SELECT * FROM finish();
ROLLBACK;
