import type { AppId, SecretId, UserId } from './brands.ts'

/** A JSON value, as `jsonb` holds it. */
export type JsonValue = JsonObject | JsonValue[] | boolean | number | string | null

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue | undefined
}

/** The tables of a generated app, by name, as a schema snapshot keeps them. */
export interface SchemaTables {
  readonly [table: string]: { readonly columns: readonly SchemaColumn[]; readonly [fact: string]: JsonValue | readonly SchemaColumn[] }
}

/** A column of such a table; what else is known of it stands beside name and type. */
export interface SchemaColumn extends JsonObject {
  readonly name: string
  readonly type: string
}

/** What a clean-up needs to know beside its target; which of it is there depends on the kind. Empty once finished. */
export interface CleanupContext extends JsonObject {
  readonly app_id?: AppId
  readonly user_id?: UserId
  readonly secret_id?: SecretId
  readonly provider?: string
}
