import type pg from 'pg'
import t from 'tap'
import { measureMigration, strength, type StatementEffect } from '../../scripts/schema/measure/measure.ts'
import type { Migration } from '../../scripts/migrate/migrations.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { lockCases, lockWorld, type LockCase } from './fixtures/diff_corpus/locks.ts'

const db = await createEmptyDatabase(t)
await db.owner.query(lockWorld)

/** Measures in a transaction that goes no further, so that each case finds the same tables. */
const inside: pg.Client = Object.assign(Object.create(db.owner) as pg.Client, {
  query: (text: string, ...rest: []) =>
    db.owner.query({ begin: 'savepoint one', commit: 'select', rollback: 'select' }[text] ?? text, ...rest),
})

async function measure({ sql, isAlone }: LockCase): Promise<StatementEffect[]> {
  const migration = { file: 'case.sql', source: '-- migrate:up\n', up: sql, transaction: !isAlone } as Migration
  if (isAlone) return measureMigration(db.owner, migration)
  await db.owner.query('begin')
  try {
    return await measureMigration(inside, migration)
  } finally {
    await db.owner.query('rollback')
  }
}

function tell(effects: readonly StatementEffect[]): string[] {
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
    // Who builds an index or a new file reads the table: that goes without saying.
    ...all('scans').filter(isRead).map((table) => `scans ${table}`),
    ...built,
    ...all('writes').map((table) => `changes ${table}`),
  ]
}

for (const one of lockCases) {
  t.test(one.title, async (t) => {
    t.strictSame(tell(await measure(one)), one.does)
  })
}

t.test('the corpus is large enough', async (t) => {
  t.ok(lockCases.length >= 40, `${lockCases.length} migrations`)
})
