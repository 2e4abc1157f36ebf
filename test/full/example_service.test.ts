import process from 'node:process'
import t from 'tap'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { proveExampleService } from '../example/fixtures/example_proof.ts'

const test = await createMigratedDatabase(t)
const load = { users: 12, apps: 3, generations: 5, kills: 20, killEveryMs: 1500, timeoutMs: 85_000 }

t.test('the example service completes every generation under load while its processes are killed', async (t) => {
  const seed = Number(process.env['SEED'] ?? 7)
  const { triedAgain } = await proveExampleService(t, test, { seed, ...load })
  t.ok(triedAgain > 0, 'some generations were continued after a worker was killed')
})
