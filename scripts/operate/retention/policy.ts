/** The retention policy. A test fails for a table that is in neither list. */

/** A rule that deletes rows of a certain age. */
export interface RetentionRule {
  readonly days: number
  /** SQL expression for the time from which a row's age counts, over the table `t`. A row with null does not expire. */
  readonly since: string
  readonly what: string
}

/** Tables with a retention period. Each has a numeric primary key `id`. */
export const limited: Readonly<Record<string, RetentionRule>> = {
  'public.user_activity_log': {
    days: 400,
    since: 't.created_at',
    what: 'actions of users; more than a year, so that two years can be compared',
  },
  'public.generation_events': {
    days: 400,
    // An unfinished generation keeps its whole timeline, whatever its age.
    since: `(
      select greatest(t.created_at, r.completed_at)
      from public.generation_requests as r
      where r.user_id = t.user_id and r.id = t.generation_request_id and r.completed_at is not null
    )`,
    what: 'timelines of generations, counted from the end of the generation',
  },
  'public.cleanup_outbox': {
    days: 30,
    since: 't.finished_at',
    what: 'clean-ups, counted from their end; unfinished ones are kept',
  },
}

const userData = 'data of a user: deleted by the user, or with the account'
const upgradeRecords = 'records of the upgrade, for `make verify`; rows of a user are deleted with the account'

/** Tables without a retention period, with the reason. */
export const unlimited: Readonly<Record<string, string>> = {
  'public.apps': userData,
  'public.generation_requests': userData,
  'public.iteration_snapshots': userData,
  'public.schema_snapshots': userData,
  'public.user_profiles': userData,
  'public.user_secrets': userData,
  'public.generation_costs': 'a ledger whose sums must not change; deleted with the account',
  'public.deployment_config': 'current settings',
  'public.deployment_config_history': 'a hash chain: a missing entry breaks the proof',
  'public.supabase_projects': 'the current pool of projects',
  'public.supabase_project_places': 'an allocation is deleted when its data is wiped, whatever its age',
  'private.audit_heads': 'the last hash of the chain',
  'private.error_codes': 'part of the schema',
  'private.generation_leases': 'deleted with the lease',
  'private.secret_refreshes': 'deleted with the connection',
  'private.queues': 'current switches',
  'private.migration_log': upgradeRecords,
  'private.quarantine': 'rows that wait for repair; deleted with the account',
  'private.upgrade_changes': upgradeRecords,
  'private.upgrade_counts': upgradeRecords,
  'private.upgrade_owners': upgradeRecords,
  'private.upgrade_progress': upgradeRecords,
  'private.upgrade_samples': upgradeRecords,
  'private.upgrade_users': upgradeRecords,
}
