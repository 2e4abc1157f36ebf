import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import type { Target } from '../../core/target.ts'
import { status } from '../../migrate/migrator.ts'
import { fromRoot } from '../../core/paths.ts'
import { dumpSchema } from '../../schema/dump/pg-dump.ts'
import { limits, type Limits, type Patient, type ServiceRoles } from './check.ts'
import { readSchemaText } from '../../schema/dump/schema-text.ts'

export interface PatientOptions {
  /** Instead of those that suit a live database. */
  readonly limits?: Partial<Limits>
  /** Instead of leo_api and leo_worker. */
  readonly roles?: ServiceRoles
}

export async function openPatient(client: pg.Client, target: Target, options: PatientOptions = {}): Promise<Patient> {
  return {
    query: (sql, values) => look(client, sql, values),
    wanted: readSchemaText(await readFile(fromRoot('db', 'schema.sql'), 'utf8')),
    found: once(async () => readSchemaText(await dumpSchema(target))),
    migrations: once(() => status(target)),
    roles: { api: 'leo_api', worker: 'leo_worker', ...options.roles },
    limits: { ...limits, ...options.limits },
  }
}

/** `row_security = off` makes a role that would see only some of the rows fail, instead of counting those. */
async function look<T extends object>(client: pg.Client, sql: string, values: readonly unknown[] = []): Promise<T[]> {
  await client.query(`
    begin read only;
    set local statement_timeout = '5s';
    set local lock_timeout = '1s';
    set local search_path = '';
    set local row_security = off`)
  try {
    return (await client.query<T>(sql, [...values])).rows
  } finally {
    await client.query('rollback')
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
