import t from 'tap'
import type pg from 'pg'
import { loadSamples } from '../../scripts/operate/sample/sample.ts'
import { examineAudit } from '../../scripts/operate/audit.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { rolledBack } from '../fixtures/probe.ts'

const db = await createMigratedDatabase(t)
const load = (): Promise<boolean> => loadSamples(db.owner, () => undefined)

/** Tables and views of schema public that show nothing. */
async function empty(client: pg.Client): Promise<string[]> {
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

t.test('the samples of make up fill every table and view', async (t) => {
  t.ok((await empty(db.owner)).includes('generation_costs_by_month'), 'which are empty before')
  t.equal(await load(), true)
  t.strictSame(await empty(db.owner), [])
})

t.test('a table that they forget is noticed', async (t) => {
  const found = await rolledBack(db.owner, async () => {
    await db.owner.query('create table forgotten (id int)')
    return empty(db.owner)
  })
  t.strictSame(found, ['forgotten'])
})

t.test('a second run adds nothing', async (t) => {
  const count = 'select count(*) from user_activity_log'
  const before = (await db.owner.query(count)).rows
  t.equal(await load(), false)
  t.strictSame((await db.owner.query(count)).rows, before)
})

t.test('their history of config is whole', async (t) => {
  const { entries, findings } = await examineAudit(db.owner)
  t.ok(entries > 0)
  t.strictSame(findings, [])
})
