import type {
  CleanupKind,
  ConfigAction,
  CostKind,
  EventActor,
  GenerationMode,
  GenerationStatus,
  GenerationType,
  SnapshotType,
  SupabasePlaceStatus,
  SupabaseProjectStatus,
} from './db.ts'

/*
 * The values of the enums, in the order of the database, for the validation of input: `z.enum(generationModes)`.
 * The compiler rejects a value that the generated types do not have; a test compares the lists with the catalog.
 */

/** The kinds of external resources that are cleaned up. */
export const cleanupKinds = ['github_repository', 'fly_app', 'supabase_place', 'oauth_token'] as const satisfies readonly CleanupKind[]
/** The actions on a setting in its history. */
export const configActions = ['found', 'insert', 'update', 'delete', 'redact'] as const satisfies readonly ConfigAction[]
/** The kinds of costs. */
export const costKinds = ['tokens', 'compute', 'deployment', 'storage', 'other'] as const satisfies readonly CostKind[]
/** The actors that change the status of a generation. */
export const eventActors = ['user', 'service', 'system'] as const satisfies readonly EventActor[]
/** The modes of a generation. */
export const generationModes = ['single-shot', 'autonomous', 'confirm_first'] as const satisfies readonly GenerationMode[]
/** The statuses of a generation. */
export const generationStatuses = ['queued', 'generating', 'completed', 'failed', 'paused', 'cancelled'] as const satisfies readonly GenerationStatus[]
/** Whether a generation starts a new app or resumes one. */
export const generationTypes = ['new', 'resume'] as const satisfies readonly GenerationType[]
/** The reasons of a snapshot. */
export const snapshotTypes = ['automatic', 'manual', 'checkpoint'] as const satisfies readonly SnapshotType[]
/** The statuses of an allocation in a Supabase project. */
export const supabasePlaceStatuses = ['allocated', 'releasing'] as const satisfies readonly SupabasePlaceStatus[]
/** The statuses of a Supabase project. */
export const supabaseProjectStatuses = ['active', 'draining', 'retired'] as const satisfies readonly SupabaseProjectStatus[]
