import type { Insertable, Selectable, Updateable } from 'kysely'
import type { DB } from './db.ts'

export type * from './brands.ts'
export * from './enums.ts'
export type { CleanupContext, JsonObject, JsonValue, SchemaColumn, SchemaTables } from './json.ts'
export type {
  CleanupKind,
  ConfigAction,
  CostKind,
  DB,
  EventActor,
  GenerationMode,
  GenerationStatus,
  GenerationType,
  SnapshotType,
  SupabasePlaceStatus,
  SupabaseProjectStatus,
} from './db.ts'

/** A table or a view of this schema, by name. */
export type Relation = keyof DB

/** A table of this schema, by name. */
export type Table = Exclude<Relation, `generation_costs_by_${string}`>

/** A row, as a query returns it: `Row<'apps'>`. */
export type Row<T extends Relation> = Selectable<DB[T]>

/** A row to insert. Columns with a default, or set by a trigger, are optional. */
export type New<T extends Table> = Insertable<DB[T]>

/** Changes to a row. All columns are optional. */
export type Patch<T extends Table> = Updateable<DB[T]>
