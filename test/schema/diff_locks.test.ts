import type pg from 'pg'
import t from 'tap'
import { measureMigration, strength, type StatementEffect } from '../../scripts/schema/measure/measure.ts'
import type { Migration } from '../../scripts/migrate/migrations.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { lockCases, lockSchema, type LockCase } from './fixtures/diff_corpus/locks.ts'

const db = await createEmptyDatabase(t)
await db.owner.query(lockSchema)

/** Runs a case in a transaction that is rolled back, so that each case starts with the same tables. */
const nestedClient: pg.Client = Object.assign(Object.create(db.owner) as pg.Client, {
  query: (text: string, ...rest: []) =>
    db.owner.query({ begin: 'savepoint one', commit: 'select', rollback: 'select' }[text] ?? text, ...rest),
})

async function measure({ sql, outsideTransaction = false }: LockCase): Promise<StatementEffect[]> {
  const migration = { file: 'case.sql', source: '-- migrate:up\n', up: sql, transaction: !outsideTransaction } as Migration
  if (outsideTransaction) return measureMigration(db.owner, migration)
  await db.owner.query('begin')
  try {
    return await measureMigration(nestedClient, migration)
  } finally {
    await db.owner.query('rollback')
  }
}

function format(effects: readonly StatementEffect[]): string[] {
  const all = (key: 'rewrites' | 'scans' | 'writes'): string[] => effects.flatMap((effect) => effect[key])
  const locks = effects.flatMap((effect) => effect.locks).filter(({ mode }) => strength(mode) > 0)
  const indexes = effects.flatMap((effect) => effect.indexes)
  const built = [...new Set(indexes.map(({ table }) => table))].map((table) => {
    const count = indexes.filter((index) => index.table === table).length
    return `builds ${count} index${count === 1 ? '' : 'es'} on ${table}`
  })
  const isRead = (table: string) => !all('rewrites').includes(table) && !indexes.some((index) => index.table === table)
  return [
    ...locks.map(({ mode, table }) => `${mode} ${table}`),
    ...all('rewrites').map((table) => `rewrites ${table}`),
    // A scan that builds an index or rewrites the table is not listed separately.
    ...all('scans').filter(isRead).map((table) => `scans ${table}`),
    ...built,
    ...all('writes').map((table) => `changes ${table}`),
  ]
}

for (const one of lockCases) {
  t.test(one.title, async (t) => {
    t.strictSame(format(await measure(one)), one.expected)
  })
}

t.test('the corpus has at least 40 migrations', async (t) => {
  t.ok(lockCases.length >= 40, `${lockCases.length} migrations`)
})
