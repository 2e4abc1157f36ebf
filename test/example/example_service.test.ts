import t from 'tap'
import { createTestDatabase } from '../fixtures/database.ts'
import { accounts, proveExampleService } from './fixtures/example_proof.ts'
import { insertLease, insertSnapshot } from '../fixtures/rows.ts'

const test = await createTestDatabase(t)
const load = { users: 3, apps: 2, generations: 3, kills: 4, killEveryMs: 600, patienceMs: 600_000 }

t.test('the example service accounts for every generation, though its processes are killed', async (t) => {
  const { stories } = await proveExampleService(t, test, { seed: 1, ...load })

  const one = stories.flatMap(({ generations }) => generations).find(({ end }) => end === 'completed')!
  await insertSnapshot(test.owner, one.userId, one.id)
  await insertLease(test.owner, one.userId, one.id)
  await test.owner.query('update generation_requests set deployment_url = null where id = $1', [one.id])
  const wrong = (await accounts(test, stories)).filter(([, found, wanted]) => JSON.stringify(found) !== JSON.stringify(wanted))
  const titles = ['the snapshots of a completed one', 'of the others', 'what is completed is deployed', 'no lease is left']
  t.match(wrong.map(([title]) => title), titles.map((title) => new RegExp(`^${title}`)), 'and what would be wrong is found')
})
