import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { withDatabase, type Target } from '../../scripts/core/target.ts'
import { compare } from '../../scripts/schema/diff/compare.ts'
import type { Report } from '../../scripts/schema/diff/report.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { ownerOf, withScratchServer } from '../../scripts/postgres/scratch.ts'
import { installedNative } from '../../scripts/postgres/binaries.ts'
import { createSupabaseDatabase } from '../../scripts/postgres/supabase.ts'

t.setTimeout(10 * 60_000)

const drift = `
  alter table public.apps add column extra text;
  alter table public.apps add constraint apps_extra_check check (extra in ('a', 'b'));
  create view public.extras as select extra, count(*) from public.apps where app_name <> 'x' group by extra;
  alter policy select_own on public.apps using (true)`

const expected = [
  'changed policy select_own on public.apps',
  'added column public.apps.extra',
  'added constraint apps_extra_check on public.apps',
  'added view public.extras',
]

/** Compares HEAD with the live database, on a scratch server of the live major or of the package's own major. */
const compareLive = (live: Target, isInstalled: boolean): Promise<Report> =>
  compare({
    base: 'HEAD',
    head: live.dbmateUrl,
    ...(isInstalled ? {} : { withServer: (work) => withScratchServer(work) }),
  })

for (const major of [15, 16, 18]) {
  const native = installedNative(major)
  const skip = native === undefined && '`make test-matrix` installs it'
  t.test(`a live PostgreSQL ${major} is compared with the repository in read-only transactions`, { skip }, async (t) => {
    await withScratchServer(async (admin) => {
      await createSupabaseDatabase(admin, 'live')
      const live = ownerOf(withDatabase(admin, 'live'))
      await migrate(live)
      const setReadOnly = (is: 'on' | 'off') =>
        withClient(admin, (client) => client.query(`alter database live set default_transaction_read_only = ${is}`))
      await setReadOnly('on')
      await t.rejects(withClient(live, (client) => client.query(drift)), { code: '25006' })
      for (const isInstalled of [true, false]) {
        const same = await compareLive(live, isInstalled)
        t.equal(same.leftOut.length, isInstalled ? 0 : 1)
        t.strictSame(same.reasons, [])
        t.strictSame([same.changes, same.remaining, same.cells, same.types.changes], [[], [], [], []])
      }
      await setReadOnly('off')
      await withClient(live, (client) => client.query(drift))
      await setReadOnly('on')
      for (const isInstalled of [true, false]) {
        const { changes, remaining } = await compareLive(live, isInstalled)
        const whole = changes.filter(({ partOf }) => partOf === null)
        const reported = new Set(whole.map(({ action, kind, object }) => `${action} ${kind} ${object}`))
        t.strictSame([...reported].sort(), [...expected].sort())
        t.strictSame(remaining, [])
      }
    }, { native: native! })
  })
}
