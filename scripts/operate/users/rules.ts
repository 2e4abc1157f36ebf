/**
 * What the catalog cannot know about whose rows a table has. A table with a column `user_id` needs no word here: its
 * rows are exported and erased. A table without one does, or a test fails, and so does whoever meets a user's id in it.
 */

export interface OwnerlessTable {
  /** Whose rows these are, or why they are nobody's. */
  readonly what: string
  /** Which rows, named `t`, are the user's, by `$1::uuid` or `$1::text`. Absent: none is. */
  readonly rows?: string
  /** What of such a row an export carries; whatever else stands there is not about the user. */
  readonly columns?: readonly string[]
  /** What names a user and stays when they are erased. */
  readonly stays?: { readonly where: string; readonly why: string }
}

const books = 'books of the upgrade: numbers and digests of rows'

export const ownerless: Readonly<Record<string, OwnerlessTable>> = {
  'public.cleanup_outbox': {
    what: 'what the user\'s deleted apps and secrets left elsewhere',
    rows: `t.context ->> 'user_id' = $1::text`,
    columns: ['id', 'kind', 'target', 'context', 'created_at', 'available_at', 'finished_at'],
    stays: { where: 't.finished_at is null', why: 'until it is cleaned up; then it forgets the user' },
  },
  'public.supabase_project_places': {
    what: 'where the databases of the user\'s apps are',
    rows: 't.app_id in (select a.id from public.apps as a where a.user_id = $1::uuid)',
    columns: ['app_id', 'supabase_project_ref', 'status', 'allocated_at'],
  },
  'public.deployment_config_history': {
    what: 'settings of the platform; an entry may name who changed one',
    rows: 't.acting_user_id = $1::uuid',
    columns: ['id', 'key', 'action', 'acting_user_id', 'changed_at'],
    stays: {
      where: `strpos(lower((to_jsonb(t) - 'acting_user_id')::text), $1::text) = 0`,
      why: 'the chain of hashes covers it; it names nobody once the account is gone',
    },
  },
  'public.deployment_config': { what: 'settings of the platform' },
  'public.supabase_projects': { what: 'the pool' },
  'private.audit_heads': { what: 'ends of chains of hashes' },
  'private.error_codes': { what: 'part of the schema' },
  'private.queues': { what: 'whether claims are paused' },
  'private.upgrade_changes': { what: books },
  'private.upgrade_counts': { what: books },
  'private.upgrade_progress': { what: books },
  'private.upgrade_samples': { what: books },
}

/** Columns that no export carries, besides every one of the type sealed_secret. */
export const leftOut: Readonly<Record<string, string>> = {
  'private.secret_refreshes.holder': 'a number of ours, not about the user',
  'private.secret_refreshes.rejected_digest': 'of a token, which no export carries',
  'private.generation_leases.worker': 'a machine of ours, not about the user',
}

/** What an export carries of auth.users, as far as it is there: the rest are hashes and tokens of Supabase Auth. */
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
