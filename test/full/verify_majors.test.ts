import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { withDatabase } from '../../scripts/core/target.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { installedNative } from '../../scripts/postgres/binaries.ts'
import { ownerOf, withScratchServer } from '../../scripts/postgres/scratch.ts'
import { createSupabaseDatabase } from '../../scripts/postgres/supabase.ts'
import type { VerifyFinding } from '../../scripts/schema/verify/finding.ts'
import { verify } from '../../scripts/schema/verify/verify.ts'
import { mutations, powers } from '../schema/fixtures/drift.ts'

t.setTimeout(20 * 60_000)

const list = (findings: readonly VerifyFinding[]): string[] =>
  findings.filter(({ code }) => code !== 'not_compared').map(({ code, object, isKnown }) => `${isKnown} ${code} ${object}`).sort()

for (const major of [15, 16, 18]) {
  const native = installedNative(major)
  const skip = native === undefined && '`make test-matrix` installs it'
  t.test(`PostgreSQL ${major}: verify finds the same with its own server and with a copy on another major`, { skip }, async (t) => {
    await withScratchServer(async (admin) => {
      await createSupabaseDatabase(admin, 'live')
      const live = ownerOf(withDatabase(admin, 'live'))
      await migrate(live)
      const copied = { withServer: ((work) => withScratchServer(work)) as typeof withScratchServer }
      t.strictSame([list(await verify(live)), list(await verify(live, copied))], [[], []])
      await withClient(live, (client) => client.query(`create role test_api; ${mutations}`))
      await withClient(withDatabase(admin, 'live'), (client) => client.query(powers))
      const found = list(await verify(live))
      t.ok(found.length > 50)
      t.strictSame(list(await verify(live, copied)), found)
    }, { native: native! })
  })
}
