/*
 * carry.c
 *	  What becomes of the signatures of the round before: of the same version
 *	  when it was sent back, else of the version that it was made from.
 *
 * An approval is repeated in the new round, as a row of its own that names the
 * one before, when its rule says so, the policy is the same, what it is for
 * has the same digest, and its signer could sign now.  Each is repeated at
 * most once a round: what its signer takes back stays taken back.
 */
#include "postgres.h"

#include "approval/candidate.h"
#include "approval/request.h"
#include "catalog/pg_type.h"
#include "core/stmt.h"
#include "miscadmin.h"

static VouchStmt find_round = {
	"SELECT version_no, round, policy, policy_revision FROM vouch_data.approval_request"
	" WHERE bucket = $1 AND artifact_no = $2 AND version_no = $3 AND ($4 = 0 OR round < $4)"
	" ORDER BY round DESC LIMIT 1",
	SPI_OK_SELECT, 4, {INT4OID, INT4OID, INT4OID, INT4OID}, .indexed = true
};

bool
vouch_policy_carries(const VouchPolicy *policy)
{
	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
			if (policy->stages[i].rules[r].carry)
				return true;
	return false;
}

/* The round before: of this version, else the last one of its parent. */
static bool
find_before(VouchRequest *request, VouchBefore *before)
{
	const VouchVersion *version = request->version;
	const VouchPolicy *policy = request->rights->policy;
	Datum		args[4] = {Int32GetDatum(version->bucket), Int32GetDatum(version->artifact_no),
	Int32GetDatum(version->version_no), Int32GetDatum(request->round)};

	if (vouch_stmt_run(&find_round, args, NULL) == 0)
	{
		args[2] = Int32GetDatum(version->parent_no);
		args[3] = Int32GetDatum(0);
		if (version->parent_no == 0 || vouch_stmt_run(&find_round, args, NULL) == 0)
			return false;
	}
	before->version_no = vouch_stmt_get_int32(0, 1, 0);
	before->round = vouch_stmt_get_int32(0, 2, 0);
	before->same_policy = vouch_same_or_null(vouch_stmt_get_text(0, 3), policy->name) &&
		vouch_stmt_get_int32(0, 4, 0) == policy->revision;
	return true;
}

static void
find_candidate(const VouchRequest *request, VouchCarry *carry)
{
	const VouchPolicy *policy = request->rights->policy;

	for (int i = 0; i < policy->nstages; i++)
		for (int r = 0; r < policy->stages[i].nrules; r++)
		{
			const VouchRuleResult *result = &request->evaluation->stages[i].rules[r];

			for (int c = 0; result->rule == carry->rule && c < result->ncandidates; c++)
				if (vouch_same_or_null(result->candidates[c].actor, carry->from->signer) &&
					vouch_same_or_null(result->candidates[c].acting_for, carry->from->acting_for) &&
					vouch_same_or_null(result->candidates[c].role, carry->from->role))
				{
					carry->result = result;
					carry->candidate = &result->candidates[c];
				}
		}
}

/*
 * Was a signature taken back that an approval stands on: of a stage before its own, given before it, and
 * revoked after it?
 */
static bool
stands_on_revoked(const VouchPolicy *policy, const VouchSigned *old, int n, const VouchSigned *from)
{
	uint64		before[64];

	vouch_policy_before(policy, before);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n && old[i].revokes != 0 && old[i].signature_no > from->signature_no; j++)
			if (old[j].signature_no == old[i].revokes && old[j].signature_no < from->signature_no &&
				old[j].verdict == VOUCH_SIGN_APPROVE &&
				(before[from->stage_no] & VOUCH_STAGE_BIT(old[j].stage_no)) != 0)
				return true;
	return false;
}

/* Why an approval of the round before is not good for this one; NULL if it is. */
static const char *
judge(VouchRequest *request, const VouchBefore *before, VouchCarry *carry)
{
	const VouchSigned *from = carry->from;
	const VouchCase *input = &request->input;
	const VouchAsked *asked;
	bool		group_asked = from->group == NULL;

	if (!before->same_policy || carry->rule == NULL)
		return "the policy is another one, or another revision";
	if (!carry->rule->carry)
		return "its rule does not carry signatures";
	asked = &request->asked[carry->rule->index];
	for (int g = 0; g < asked->ngroups; g++)
		group_asked = group_asked || vouch_same_or_null(asked->groups[g], from->group);
	if (!asked->applies || !group_asked)
		return "it is not asked any more";
	vouch_request_measure(request);
	if (memcmp(&from->digest, &input->digests[vouch_asked_part(asked, from->group)], sizeof(VouchDigest)) != 0)
		return "what it is for has changed";
	if (carry->rule->ttl >= 0 && input->now >= from->signed_at + carry->rule->ttl)
		return "it has run out";
	find_candidate(request, carry);
	if (carry->candidate == NULL)
		return "its signer does not hold the role now";
	if (!carry->candidate->eligible)
		return psprintf("its signer could not sign now: %s", carry->candidate->text);
	if (from->group != NULL && !vouch_candidate_covers(input, carry->candidate, from->group))
		return psprintf("its signer does not hold the role for %s now", from->group);
	return NULL;
}

void
vouch_carry_find(VouchRequest *request, VouchBefore *before)
{
	VouchSigned *old;
	int			n;

	memset(before, 0, sizeof(*before));
	if (!find_before(request, before))
		return;
	n = vouch_request_signatures(request->version, before->version_no, before->round, &old);
	before->carries = palloc0(sizeof(VouchCarry) * Max(n, 1));
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i && old[i].revokes != 0; j++)
			if (old[j].signature_no == old[i].revokes)
				old[j].revoked = true;
	for (int i = 0; i < n; i++)
	{
		VouchCarry *carry = &before->carries[before->ncarries];

		if (old[i].verdict != VOUCH_SIGN_APPROVE || old[i].revoked || strcmp(old[i].role, VOUCH_ROLE_AUTO) == 0)
			continue;
		before->ncarries++;
		carry->from = &old[i];
		carry->stage = vouch_policy_find_stage(request->rights->policy, carry->from->stage_no);
		carry->rule = vouch_policy_find_rule(request->rights->policy, carry->from->stage_no, carry->from->rule_no);
		carry->why_not = judge(request, before, carry);
		if (carry->why_not == NULL && stands_on_revoked(request->rights->policy, old, n, &old[i]))
			carry->why_not = "a signature that it stands on was taken back";
	}
}

/* Was it repeated in this round already, perhaps to be taken back? */
static bool
is_carried(const VouchRequest *request, const VouchBefore *before, const VouchSigned *from)
{
	for (int i = 0; i < request->input.nsigned; i++)
	{
		const VouchSigned *s = &request->input.signatures[i];

		if (s->from_version == before->version_no && s->from_round == before->round &&
			s->from_signature == from->signature_no)
			return true;
	}
	return false;
}

/*
 * Is it wanted now: its stage is open, and its rule, or group, not satisfied, also when
 * those before it are carried that are?
 */
static bool
is_wanted(const VouchBefore *before, const bool *given, int n)
{
	const VouchCarry *carry = &before->carries[n];
	int			have;

	if (carry->candidate->why != VOUCH_WHY_CAN)
		return false;
	have = vouch_count_approvals(carry->result, carry->from->group);
	for (int i = 0; i < n; i++)
	{
		const VouchCarry *other = &before->carries[i];

		if (!given[i])
			continue;
		if (other->rule == carry->rule && vouch_same_or_null(other->from->group, carry->from->group))
			have++;
		if (vouch_signings_exclusive(other->rule, other->from->group, carry->rule, carry->from->group) &&
			vouch_share_person(carry->from->signer, carry->from->acting_for,
							   other->from->signer, other->from->acting_for))
			return false;
	}
	return have < carry->rule->quorum;
}

bool
vouch_carry_now(VouchRequest *request, const char *actor, TimestampTz now)
{
	VouchBefore before;
	bool	   *given;
	bool		any = false;

	if (!vouch_policy_carries(request->rights->policy))
		return false;
	vouch_carry_find(request, &before);
	given = palloc0(sizeof(bool) * Max(before.ncarries, 1));
	for (int i = 0; i < before.ncarries; i++)
	{
		const VouchCarry *carry = &before.carries[i];
		VouchSigned from = *carry->from;
		VouchItemsProblem problem;
		VouchSigning signing = {
			.stage = carry->stage,
			.rule = carry->rule,
			.role = from.role,
			.group = from.group,
			.verdict = VOUCH_SIGN_APPROVE,
			.signer = from.signer,
			.acting_for = from.acting_for,
			.comment = psprintf("carried from version %d, round %d", before.version_no, before.round),
			.carried = &from
		};

		CHECK_FOR_INTERRUPTS();
		if (carry->why_not != NULL || is_carried(request, &before, &from) || !is_wanted(&before, given, i))
			continue;
		vouch_request_check_items(request, carry->rule, from.group, &problem);
		if (problem.code != 0)
			continue;
		signing.delegation = vouch_candidate_delegation(carry->candidate, from.group != NULL ? from.group : request->input.scope);
		from.from_version = before.version_no;
		from.from_round = before.round;
		vouch_request_write_signature(request, &signing, actor, now);
		given[i] = any = true;
	}
	if (any)
		vouch_request_refresh(request, now);
	return any;
}
