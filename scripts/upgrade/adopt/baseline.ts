/** The migration that a live database adopts instead of running it; a test holds what follows against it. */
export const baselineVersion = '20261122100000'

export const enums: Readonly<Record<string, readonly string[]>> = {
  'public.generation_status': ['queued', 'generating', 'completed', 'failed', 'paused', 'cancelled'],
  'public.generation_mode': ['single-shot', 'autonomous', 'confirm_first'],
  'public.generation_type': ['new', 'resume'],
  'public.snapshot_type': ['automatic', 'manual', 'checkpoint'],
}

export interface Column {
  readonly type: string
  /** It becomes NOT NULL. Any other column has to take null: a retry clears `completed_at`, the backfill a bad URL. */
  readonly isRequired?: true
  /** Why no default of the live table can stay. */
  readonly noDefault?: string
}

const required = (type: string): Column => ({ type, isRequired: true })
const naive = 'timestamp without time zone'

export const tables: Readonly<Record<string, Readonly<Record<string, Column>>>> = {
  'public.generation_requests': {
    id: required('integer'),
    app_id: required('uuid'),
    user_id: required('uuid'),
    app_name: { ...required('text'), noDefault: 'a request without a name takes its app\'s' },
    prompt: required('text'),
    initial_prompt: { type: 'text' },
    status: required('public.generation_status'),
    generation_type: required('public.generation_type'),
    mode: required('public.generation_mode'),
    github_url: { type: 'text', noDefault: 'null until there is a repository' },
    deployment_url: { type: 'text', noDefault: 'null until it is deployed' },
    error_message: { type: 'text' },
    max_iterations: required('integer'),
    current_iteration: required('integer'),
    last_session_id: { type: 'text' },
    created_at: required(naive),
    updated_at: required(naive),
    completed_at: { type: naive, noDefault: 'null until it has ended' },
  },
  'public.iteration_snapshots': {
    id: required('integer'),
    generation_request_id: required('integer'),
    iteration_number: required('integer'),
    snapshot_type: required('public.snapshot_type'),
    files_snapshot: { type: 'text' },
    prompt_used: { type: 'text' },
    timestamp: required(naive),
    metadata: { type: 'jsonb' },
  },
}

/** Foreign keys that a live table may have: `<table> (<columns>) -> <table> (<columns>)`. */
export const foreignKeys: readonly string[] = [
  'public.iteration_snapshots (generation_request_id) -> public.generation_requests (id)',
  'public.generation_requests (user_id) -> auth.users (id)',
]

/** Types that may stand for another: read and written alike, and converted, if at all, without a rewrite. */
export function mayStandFor(type: string, found: string): boolean {
  if (type === naive) return /^timestamp(\(\d\))? with(out)? time zone$/.test(found)
  const [, length] = /^character varying(?:\((\d+)\))?$/.exec(found) ?? [undefined, '0']
  // An app's name, which each of its requests copies, may have 120 characters.
  return type === 'text' && (length === undefined || Number(length) >= 120)
}

/** The columns whose type the next migrations change, which some of what may depend on them would stop. */
export const converted = (table: string): string[] =>
  Object.entries(tables[table] ?? {}).flatMap(([name, { type }]) => (type === naive ? [name] : []))
