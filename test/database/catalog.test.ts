import t from 'tap'
import { catalogRules } from './fixtures/catalog_rules.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

const db = await createMigratedDatabase(t)

const violations = async (query: string): Promise<string[]> =>
  (await db.owner.query<{ object: string }>(query)).rows.map((row) => row.object)

for (const { title, query, violation, caught } of catalogRules) {
  t.test(title, async (t) => {
    t.strictSame(await violations(query), [])

    await db.owner.query('begin')
    await db.owner.query(violation)
    t.ok((await violations(query)).includes(caught), `and the rule catches: ${violation}`)
    await db.owner.query('rollback')
  })
}
