import { randomInt } from 'node:crypto'
import process from 'node:process'
import t from 'tap'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { runAgainstModel } from './fixtures/run_against_model.ts'

const seed = Number(process.env['MODEL_SEED'] ?? randomInt(1_000_000))
const test = await createMigratedDatabase(t)
const clients = createClients(t, test)

t.test(
  `nobody sees or changes what is not theirs, in 400 random operations of 8 users (MODEL_SEED=${seed})`,
  async (t) => {
    const counts = await runAgainstModel(test, clients, { seed, users: 8, operations: 400, timeLimit: 20_000 })
    t.equal(Object.keys(counts).length, 14, 'every operation was done')
  },
)

t.test("a database that shows one user's apps to all is caught", async (t) => {
  await test.owner.query('create policy leak on apps for select to authenticated using (true)')
  t.teardown(() => test.owner.query('drop policy leak on apps'))
  await t.rejects(runAgainstModel(test, clients, { seed, users: 8, operations: 400, timeLimit: 20_000 }), {
    message: /is not as the model says/,
  })
})
