import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { withClient } from '../../core/connect.ts'
import { Failure } from '../../core/failure.ts'
import { withDatabase, type Target } from '../../core/target.ts'
import { fileName, type Migration } from '../../migrate/migrations.ts'
import { ownerOf } from '../../postgres/scratch.ts'
import { createSupabaseDatabase } from '../../postgres/supabase.ts'
import { measureMigration, type StatementEffect } from './measure.ts'

export interface MeasuredMigration {
  readonly version: string
  readonly file: string
  readonly effects: readonly StatementEffect[]
}

export interface Rehearsal {
  readonly migrations: readonly MeasuredMigration[]
  /** The error that stopped it: the migration would fail on the live database, too. */
  readonly failure?: Failure
  /** Properties of the live tables that could not be created there, and so are not measured. */
  readonly skipped: readonly string[]
}

export interface RehearsalSteps {
  readonly beforeEach?: (client: pg.Client) => Promise<void>
  readonly afterApplied?: (client: pg.Client, migration: Migration) => Promise<void>
  /** Once, before the first pending migration. Returns what could not be created. */
  readonly beforePending?: (client: pg.Client) => Promise<readonly string[]>
}

/** Applies the migrations to a database of its own on the server of `admin`, and measures the pending ones. */
export async function rehearse(
  admin: Target,
  migrations: readonly Migration[],
  pending: ReadonlySet<string>,
  steps: RehearsalSteps = {},
): Promise<Rehearsal> {
  const database = `rehearsal_${randomBytes(6).toString('hex')}`
  await createSupabaseDatabase(admin, database)
  try {
    return await withClient(ownerOf(withDatabase(admin, database)), (client) => run(client, migrations, pending, steps))
  } finally {
    await withClient(admin, (client) => client.query(`drop database ${database} with (force)`))
  }
}

async function run(
  client: pg.Client,
  migrations: readonly Migration[],
  pending: ReadonlySet<string>,
  { beforeEach, afterApplied, beforePending }: RehearsalSteps,
): Promise<Rehearsal> {
  const measured: MeasuredMigration[] = []
  let skipped: readonly string[] | undefined
  for (const migration of migrations) {
    await beforeEach?.(client)
    if (!pending.has(migration.version)) {
      await client.query(migration.transaction ? `begin; ${migration.up}; commit` : migration.up)
      await afterApplied?.(client, migration)
      continue
    }
    skipped ??= (await beforePending?.(client)) ?? []
    try {
      const effects = await measureMigration(client, migration)
      measured.push({ version: migration.version, file: fileName(migration), effects })
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure
      return { migrations: measured, failure, skipped }
    }
  }
  return { migrations: measured, skipped: skipped ?? [] }
}
