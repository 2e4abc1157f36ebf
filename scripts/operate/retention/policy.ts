/** How long rows stay: the one place that says so. A table that neither list names fails a test. */

export interface Aged {
  readonly days: number
  /** What a row's age counts from: an expression over `t`, null as long as the row has no age. */
  readonly since: string
  readonly what: string
}

/** By table, each with a primary key `id` that is a number. */
export const aged: Readonly<Record<string, Aged>> = {
  'public.user_activity_log': {
    days: 400,
    since: 't.created_at',
    what: 'what users did; more than a year, so that two can be compared',
  },
  'public.generation_events': {
    days: 400,
    // A generation that goes on keeps its timeline whole, however old.
    since: `(
      select greatest(t.created_at, r.completed_at)
      from public.generation_requests as r
      where r.user_id = t.user_id and r.id = t.generation_request_id and r.completed_at is not null
    )`,
    what: 'timelines of generations, from when they finished',
  },
  'public.cleanup_outbox': {
    days: 30,
    since: 't.finished_at',
    what: 'clean-ups, from when they finished; open ones stay',
  },
}

const withTheUser = 'data of a customer: goes when they delete it, or with their account'
const books = 'proof of the upgrade, for `make verify`; what is a user\'s in it goes with their account'

/** Nothing here goes by age, and why. */
export const kept: Readonly<Record<string, string>> = {
  'public.apps': withTheUser,
  'public.generation_requests': withTheUser,
  'public.iteration_snapshots': withTheUser,
  'public.schema_snapshots': withTheUser,
  'public.user_profiles': withTheUser,
  'public.user_secrets': withTheUser,
  'public.generation_costs': 'a ledger: its sums must not change; goes with the account',
  'public.deployment_config': 'settings in force',
  'public.deployment_config_history': 'a chain of hashes: without an entry the rest proves nothing',
  'public.supabase_projects': 'the pool in use',
  'public.supabase_project_places': 'a place goes when it is wiped, whatever its age',
  'private.audit_heads': 'where the chain of hashes ends',
  'private.error_codes': 'part of the schema',
  'private.generation_leases': 'goes with the lease',
  'private.secret_refreshes': 'goes with the connection',
  'private.queues': 'a switch in force',
  'private.migration_log': books,
  'private.quarantine': 'rows that wait for a repair; go with the account',
  'private.upgrade_changes': books,
  'private.upgrade_counts': books,
  'private.upgrade_owners': books,
  'private.upgrade_progress': books,
  'private.upgrade_samples': books,
  'private.upgrade_users': books,
}
