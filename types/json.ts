import type { AppId, SecretId, UserId } from './brands.ts'

/** A JSON value, as `jsonb` holds it. */
export type JsonValue = JsonObject | JsonValue[] | boolean | number | string | null

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue | undefined
}

/** The tables of a generated app by name, in a schema snapshot. */
export interface SchemaTables {
  readonly [table: string]: { readonly columns: readonly SchemaColumn[]; readonly [property: string]: JsonValue | readonly SchemaColumn[] }
}

/** A column of such a table; it may have further properties. */
export interface SchemaColumn extends JsonObject {
  readonly name: string
  readonly type: string
}

/** The data of a clean-up besides its target. The kind determines which members are present; empty when finished. */
export interface CleanupContext extends JsonObject {
  readonly app_id?: AppId
  readonly user_id?: UserId
  readonly secret_id?: SecretId
  readonly provider?: string
}
