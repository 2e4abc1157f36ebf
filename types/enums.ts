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
 * The values of the database's enums, in its own order, for validation at the edge: `z.enum(generationModes)`.
 * The compiler holds them against the generated types in one direction; a test holds them against the catalog.
 */

/** What is to be cleaned up. */
export const cleanupKinds = ['github_repository', 'fly_app', 'supabase_place', 'oauth_token'] as const satisfies readonly CleanupKind[]
/** What was done to a setting. */
export const configActions = ['found', 'insert', 'update', 'delete', 'redact'] as const satisfies readonly ConfigAction[]
/** What cost something. */
export const costKinds = ['tokens', 'compute', 'deployment', 'storage', 'other'] as const satisfies readonly CostKind[]
/** Who changed the status of a generation. */
export const eventActors = ['user', 'service', 'system'] as const satisfies readonly EventActor[]
/** How a generation goes about its work. */
export const generationModes = ['single-shot', 'autonomous', 'confirm_first'] as const satisfies readonly GenerationMode[]
/** Where a generation stands. */
export const generationStatuses = ['queued', 'generating', 'completed', 'failed', 'paused', 'cancelled'] as const satisfies readonly GenerationStatus[]
/** Whether a generation begins anew. */
export const generationTypes = ['new', 'resume'] as const satisfies readonly GenerationType[]
/** Who asked for a snapshot. */
export const snapshotTypes = ['automatic', 'manual', 'checkpoint'] as const satisfies readonly SnapshotType[]
/** Whether a place is in use, or to be wiped. */
export const supabasePlaceStatuses = ['allocated', 'releasing'] as const satisfies readonly SupabasePlaceStatus[]
/** Whether a project takes new apps. */
export const supabaseProjectStatuses = ['active', 'draining', 'retired'] as const satisfies readonly SupabaseProjectStatus[]
