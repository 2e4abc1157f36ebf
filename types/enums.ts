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

export const cleanupKinds = ['github_repository', 'fly_app', 'supabase_place', 'oauth_token'] as const satisfies readonly CleanupKind[]
export const configActions = ['found', 'insert', 'update', 'delete', 'redact'] as const satisfies readonly ConfigAction[]
export const costKinds = ['tokens', 'compute', 'deployment', 'storage', 'other'] as const satisfies readonly CostKind[]
export const eventActors = ['user', 'service', 'system'] as const satisfies readonly EventActor[]
export const generationModes = ['single-shot', 'autonomous', 'confirm_first'] as const satisfies readonly GenerationMode[]
export const generationStatuses = ['queued', 'generating', 'completed', 'failed', 'paused', 'cancelled'] as const satisfies readonly GenerationStatus[]
export const generationTypes = ['new', 'resume'] as const satisfies readonly GenerationType[]
export const snapshotTypes = ['automatic', 'manual', 'checkpoint'] as const satisfies readonly SnapshotType[]
export const supabasePlaceStatuses = ['allocated', 'releasing'] as const satisfies readonly SupabasePlaceStatus[]
export const supabaseProjectStatuses = ['active', 'draining', 'retired'] as const satisfies readonly SupabaseProjectStatus[]
