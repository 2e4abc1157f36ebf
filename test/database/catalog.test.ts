import t from 'tap'
import { catalogRules } from './fixtures/catalog_rules.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { placeOf } from '../fixtures/place_of.ts'
import { rolledBack } from '../fixtures/probe.ts'

const db = await createMigratedDatabase(t)

const violations = async (query: string): Promise<string[]> =>
  (await db.owner.query<{ object: string }>(query)).rows.map((row) => row.object)

for (const { title, query, violation, caught } of catalogRules) {
  t.test(title, async (t) => {
    const place = placeOf('test/database/fixtures/catalog_rules.ts', title.replaceAll("'", "\\'"))
    t.strictSame(await violations(query), [], `correct the migration, or the rule in ${place}`)

    await rolledBack(db.owner, async () => {
      await db.owner.query(violation)
      t.ok((await violations(query)).includes(caught), `the rule finds the violation: ${violation}`)
    })
  })
}
