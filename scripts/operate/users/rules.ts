/**
 * Rules for tables without a column `user_id`: which of their rows belong to a user. Tables with that column need no
 * rule; their rows are exported and erased automatically. A test fails for a table that has neither, and so does an
 * export of a user whom it mentions.
 */

export interface TableWithoutOwner {
  /** The contents of the table. */
  readonly what: string
  /** SQL condition for the rows, named `t`, of the user `$1::uuid` or `$1::text`. Absent when no row belongs to a user. */
  readonly rows?: string
  /** The columns to export; the others are not about the user. */
  readonly columns?: readonly string[]
  /** Rows that mention a user and are kept when the user is erased. */
  readonly retained?: { readonly where: string; readonly why: string }
}

const upgradeRecords = 'records of the upgrade: counts and digests of rows'

export const tablesWithoutOwner: Readonly<Record<string, TableWithoutOwner>> = {
  'public.cleanup_outbox': {
    what: 'external resources of deleted apps and secrets of the user',
    rows: `t.context ->> 'user_id' = $1::text`,
    columns: ['id', 'kind', 'target', 'context', 'created_at', 'available_at', 'finished_at'],
    retained: { where: 't.finished_at is null', why: 'until the clean-up is finished; it then removes the user id' },
  },
  'public.supabase_project_places': {
    what: 'the database allocations of the user\'s apps',
    rows: 't.app_id in (select a.id from public.apps as a where a.user_id = $1::uuid)',
    columns: ['app_id', 'supabase_project_ref', 'status', 'allocated_at'],
  },
  'public.deployment_config_history': {
    what: 'changes of platform settings; an entry can contain the user who made the change',
    rows: 't.acting_user_id = $1::uuid',
    columns: ['id', 'key', 'action', 'acting_user_id', 'changed_at'],
    retained: {
      where: `strpos(lower((to_jsonb(t) - 'acting_user_id')::text), $1::text) = 0`,
      why: 'it is part of a hash chain; without the account the id does not identify a person',
    },
  },
  'public.deployment_config': { what: 'platform settings' },
  'public.supabase_projects': { what: 'the pool of projects' },
  'private.audit_heads': { what: 'last hashes of hash chains' },
  'private.error_codes': { what: 'part of the schema' },
  'private.queues': { what: 'whether claims are paused' },
  'private.upgrade_changes': { what: upgradeRecords },
  'private.upgrade_counts': { what: upgradeRecords },
  'private.upgrade_progress': { what: upgradeRecords },
  'private.upgrade_samples': { what: upgradeRecords },
}

/** Columns that are not exported, in addition to all columns of type sealed_secret. */
export const excludedColumns: Readonly<Record<string, string>> = {
  'private.secret_refreshes.holder': 'an internal number, not about the user',
  'private.secret_refreshes.rejected_digest': 'a digest of a token; tokens are not exported',
  'private.generation_leases.worker': 'the name of a worker, not about the user',
}

/** The exported columns of auth.users, if they exist. The others are hashes and tokens of Supabase Auth. */
export const accountColumns: readonly string[] = [
  'id',
  'email',
  'phone',
  'created_at',
  'updated_at',
  'last_sign_in_at',
  'is_anonymous',
  'raw_user_meta_data',
]
