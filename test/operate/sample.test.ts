import process from 'node:process'
import t from 'tap'
import type pg from 'pg'
import { loadSamples } from '../../scripts/operate/sample/sample.ts'
import { verifyAudit } from '../../scripts/operate/audit.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { placeOf } from '../fixtures/place_of.ts'
import { rolledBack } from '../fixtures/probe.ts'

process.env['NODE_ENV'] = 'test'
const db = await createMigratedDatabase(t)
const load = (): Promise<boolean> => loadSamples(db.owner, () => undefined)

/** The tables and views of schema public without rows. */
async function emptyRelations(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    select relname::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')
    order by 1`)
  const found: string[] = []
  for (const { name } of rows) {
    const { rowCount } = await client.query(`select from "${name}" limit 1`)
    if (rowCount === 0) found.push(name)
  }
  return found
}

t.test('the samples fill every table and view', async (t) => {
  t.ok((await emptyRelations(db.owner)).includes('generation_costs_by_month'), 'they are empty before')
  t.equal(await load(), true)
  const place = placeOf('scripts/operate/sample/sample.ts', 'export ')
  t.strictSame((await emptyRelations(db.owner)).map((table) => `${place}: insert rows of ${table}, or in a file beside it`), [])
})

t.test('a table without samples is found', async (t) => {
  const found = await rolledBack(db.owner, async () => {
    await db.owner.query('create table unfilled (id int)')
    return emptyRelations(db.owner)
  })
  t.strictSame(found, ['unfilled'])
})

t.test('a second run adds nothing', async (t) => {
  const count = 'select count(*) from user_activity_log'
  const before = (await db.owner.query(count)).rows
  t.equal(await load(), false)
  t.strictSame((await db.owner.query(count)).rows, before)
})

t.test('the configuration history of the samples is valid', async (t) => {
  const { entries, findings } = await verifyAudit(db.owner)
  t.ok(entries > 0)
  t.strictSame(findings, [])
})
