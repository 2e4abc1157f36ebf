import t from 'tap'
import { migrate, rollback } from '../../scripts/migrate/migrator.ts'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

// Every migration starts dbmate twice.
t.setTimeout(600_000)
const migrations = await readMigrations()

t.test('make rollback to nothing and make migrate one at a time give the same schema', async (t) => {
  const db = await createMigratedDatabase(t)
  const whole = await dumpSchema(db.target)
  for (const { version } of migrations.toReversed()) t.equal((await rollback(db.target))?.version, version)
  for (const { version } of migrations) t.equal((await migrate(db.target, { upTo: version })).applied.length, 1)
  t.equal(await dumpSchema(db.target), whole)
})
