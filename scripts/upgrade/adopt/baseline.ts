/** The migration that a live database adopts and does not run. A test compares the definitions below with it. */
export const baselineVersion = '20261122100000'

export const enums: Readonly<Record<string, readonly string[]>> = {
  'public.generation_status': ['queued', 'generating', 'completed', 'failed', 'paused', 'cancelled'],
  'public.generation_mode': ['single-shot', 'autonomous', 'confirm_first'],
  'public.generation_type': ['new', 'resume'],
  'public.snapshot_type': ['automatic', 'manual', 'checkpoint'],
}

export interface Column {
  readonly type: string
  /** Becomes NOT NULL. Other columns must accept null: a retry clears `completed_at`, the backfill clears invalid URLs. */
  readonly isRequired?: true
  /** The reason why the live column must not have a default. */
  readonly noDefault?: string
}

const required = (type: string): Column => ({ type, isRequired: true })
const withoutTimeZone = 'timestamp without time zone'

export const tables: Readonly<Record<string, Readonly<Record<string, Column>>>> = {
  'public.generation_requests': {
    id: required('integer'),
    app_id: required('uuid'),
    user_id: required('uuid'),
    app_name: { ...required('text'), noDefault: 'none: a request without a name gets that of its app' },
    prompt: required('text'),
    initial_prompt: { type: 'text' },
    status: required('public.generation_status'),
    generation_type: required('public.generation_type'),
    mode: required('public.generation_mode'),
    github_url: { type: 'text', noDefault: 'none: null until the repository exists' },
    deployment_url: { type: 'text', noDefault: 'none: null until the app is deployed' },
    error_message: { type: 'text' },
    max_iterations: required('integer'),
    current_iteration: required('integer'),
    last_session_id: { type: 'text' },
    created_at: required(withoutTimeZone),
    updated_at: required(withoutTimeZone),
    completed_at: { type: withoutTimeZone, noDefault: 'none: null until the request has ended' },
  },
  'public.iteration_snapshots': {
    id: required('integer'),
    generation_request_id: required('integer'),
    iteration_number: required('integer'),
    snapshot_type: required('public.snapshot_type'),
    files_snapshot: { type: 'text' },
    prompt_used: { type: 'text' },
    timestamp: required(withoutTimeZone),
    metadata: { type: 'jsonb' },
  },
}

/** Foreign keys that a live table may have, as `<table> (<columns>) -> <table> (<columns>)`. */
export const foreignKeys: readonly string[] = [
  'public.iteration_snapshots (generation_request_id) -> public.generation_requests (id)',
  'public.generation_requests (user_id) -> auth.users (id)',
]

/** Whether the type `found` is accepted in place of `type`: same reads and writes, and no rewrite when it is converted. */
export function isCompatibleType(type: string, found: string): boolean {
  if (type === withoutTimeZone) return /^timestamp(\(\d\))? with(out)? time zone$/.test(found)
  const [, length] = /^character varying(?:\((\d+)\))?$/.exec(found) ?? [undefined, '0']
  // The name of an app may have 120 characters, and its requests copy it.
  return type === 'text' && (length === undefined || Number(length) >= 120)
}

/** The columns whose type later migrations change from timestamp to timestamptz. Some dependents would prevent it. */
export const converted = (table: string): string[] =>
  Object.entries(tables[table] ?? {}).flatMap(([name, { type }]) => (type === withoutTimeZone ? [name] : []))
