import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { examine } from '../../scripts/operate/doctor/doctor.ts'
import { compare } from '../../scripts/schema/diff/compare.ts'
import { verify } from '../../scripts/schema/verify/verify.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { clusterAdmin } from '../fixtures/server.ts'
import { drift, foreign, foreignTrigger, ignored, invalidated } from './fixtures/live_drift.ts'

// Each report starts a server.
t.setTimeout(15 * 60_000)

const db = await createEmptyDatabase(t)
await db.owner.query('create publication supabase_realtime')
await migrate(db.target)
const asSuperuser = (sql: string) => withClient(clusterAdmin(db.name), (client) => client.query(sql))

/** What each command reports, as sorted lists of objects. */
async function report() {
  const findings = await verify(db.target)
  const doctor = await examine(db.target, { groups: ['objects', 'schema'] })
  const all = doctor.checks.flatMap((check) => check.findings)
  const diff = await compare({ base: db.target.dbmateUrl, withServer: (work) => work(clusterAdmin()) })
  const whole = diff.changes.filter(({ partOf }) => partOf === null)
  const name = ({ kind, object }: (typeof whole)[number]) => `${kind} ${object}`
  return {
    verify: {
      wrong: findings.filter(({ isKnown }) => !isKnown).map(({ code, object }) => `${code} ${object}`).sort(),
      known: findings.filter(({ isKnown }) => isKnown).map(({ code, object }) => `${code} ${object}`).sort(),
    },
    doctor: {
      wrong: all.filter(({ severity }) => severity !== 'note').map(({ code, subject }) => `${code} ${subject}`).sort(),
      known: all.filter(({ severity }) => severity === 'note').map(({ code, subject }) => `${code} ${subject}`).sort(),
    },
    diff: { objects: [...new Set(whole.map(name))].sort(), reasons: diff.reasons.map(({ of }) => of), verdict: diff.verdict },
  }
}

t.test('a migrated database: verify, doctor and diff report nothing', async (t) => {
  const { verify, doctor, diff } = await report()
  t.strictSame(verify, { wrong: [], known: [] })
  t.strictSame(doctor, { wrong: [], known: [] })
  t.strictSame(diff, { objects: [], reasons: [], verdict: 'additive' })
})

t.test('a drifted one: the three name the same objects, and tell them from foreign ones and from the platform\'s', async (t) => {
  await db.owner.query([...drift, ...foreign].map(([sql]) => sql).join(';'))
  await asSuperuser(invalidated[0])
  await asSuperuser(`grant usage on schema auth to supabase_auth_admin; ${foreignTrigger[0]}`)
  await asSuperuser(ignored.replace('database current', `database ${db.name}`))
  const { verify, doctor, diff } = await report()
  const [ours, theirs] = [[...drift, invalidated], [...foreign, foreignTrigger]]
  const findings = (all: typeof ours) => all.map(([, finding]) => finding).sort()
  t.strictSame(verify, { wrong: findings(ours), known: findings(theirs) })
  t.strictSame(doctor, verify)

  const named = (all: typeof ours) => [...new Set(all.map(([, , object]) => object))]
  t.strictSame(diff.objects, [...named(ours), ...named(theirs), 'table billing.invoices'].sort())
  const reasons = diff.reasons.filter((of) => !named(ours).includes(of))
  t.strictSame(reasons, ['Apps.region'], 'of diff, but for the type of an extra column, are about ours only')
})
