import t from 'tap'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { checkedFacts, proveExampleService } from './fixtures/example_proof.ts'
import { insertLease, insertSnapshot } from '../fixtures/rows.ts'

const test = await createMigratedDatabase(t)
const load = { users: 3, apps: 2, generations: 3, kills: 4, killEveryMs: 600, timeoutMs: 300_000 }
// The users end when their generations have ended; the limit is for a busy machine.
t.setTimeout(600_000)

t.test('the example service completes every generation while its processes are killed', async (t) => {
  const { stories } = await proveExampleService(t, test, { seed: 1, ...load })

  const one = stories.flatMap(({ generations }) => generations).find(({ end }) => end === 'completed')!
  await insertSnapshot(test.owner, one.userId, one.id)
  await insertLease(test.owner, one.userId, one.id)
  await test.owner.query('update generation_requests set deployment_url = null where id = $1', [one.id])
  const wrong = (await checkedFacts(test, stories)).filter(([, found, expected]) => JSON.stringify(found) !== JSON.stringify(expected))
  const titles = ['a completed generation has each snapshot once', 'the others', 'completed generations are deployed', 'no lease remains']
  t.match(wrong.map(([title]) => title), titles.map((title) => new RegExp(`^${title}`)), 'wrong results are reported')
})
