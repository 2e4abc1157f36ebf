import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { withClient } from '../../core/connect.ts'
import { Failure } from '../../core/failure.ts'
import { withDatabase, type Target } from '../../core/target.ts'
import { fileName, type Migration } from '../../migrate/migrations.ts'
import { ownerOf } from '../../postgres/scratch.ts'

/** Lends names of databases for the owner to create and use; drops the databases at the end. */
export async function withScratchDatabases<T>(admin: Target, count: number, work: (targets: Target[]) => Promise<T>): Promise<T> {
  const name = `diff_${randomBytes(6).toString('hex')}`
  const targets = Array.from({ length: count }, (_, at) => ownerOf(withDatabase(admin, `${name}_${at}`)))
  try {
    return await work(targets)
  } finally {
    await withClient(admin, async (client) => {
      for (const { database } of targets) await client.query(`drop database if exists ${database} with (force)`)
    })
  }
}

/** @param label names the migrations in an error. */
export async function applyMigrations(client: pg.Client, migrations: readonly Migration[], label: string): Promise<void> {
  for (const migration of migrations) {
    try {
      await applySection(client, migration.up, migration.transaction)
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      const message = `${fileName(migration)}: ${cause.message} (${cause.code})`
      throw new Failure(`the migrations of ${label} fail: ${message}`, 'correct them, or name another base', { cause })
    }
  }
}

/** Applies a section as dbmate does. @throws pg.DatabaseError; a section in a transaction then has no effect. */
export async function applySection(client: pg.Client, sql: string, transaction: boolean): Promise<void> {
  if (!transaction) {
    await client.query(sql)
    return
  }
  await client.query('begin')
  try {
    await client.query(sql)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

export const majorOf = (target: Target): Promise<number> =>
  withClient(target, async (client) => {
    const { rows } = await client.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    )
    return rows[0]!.major
  })
