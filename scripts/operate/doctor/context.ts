import type pg from 'pg'
import type { Target } from '../../core/target.ts'
import { readOnly } from '../../core/read-only.ts'
import { status } from '../../migrate/migrator.ts'
import { examineSchema, type SchemaOptions } from '../../schema/verify/schema.ts'
import { readSchemaFile } from '../../schema/verify/remedies.ts'
import { limits, type CheckContext, type Limits, type ServiceRoles } from './check.ts'

export interface ContextOptions extends SchemaOptions {
  /** Overrides of the default limits, which suit a live database. */
  readonly limits?: Partial<Limits>
  /** Default: leo_api and leo_worker. */
  readonly roles?: ServiceRoles
}

export async function openContext(client: pg.Client, target: Target, options: ContextOptions = {}): Promise<CheckContext> {
  return {
    query: (sql, values) => readOnly(client, sql, values),
    tables: [...(await readSchemaFile()).tables],
    schema: once(async () => (await examineSchema(client, target, options)).findings),
    migrations: once(() => status(target)),
    roles: { api: 'leo_api', worker: 'leo_worker', ...options.roles },
    limits: { ...limits, ...options.limits },
  }
}

function once<T>(compute: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => (result ??= compute())
}
