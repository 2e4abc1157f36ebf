import { randomInt } from 'node:crypto'
import process from 'node:process'
import t from 'tap'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { runAgainstModel } from '../database/fixtures/run_against_model.ts'

const seed = Number(process.env['MODEL_SEED'] ?? randomInt(1_000_000))
const operations = 10_000
const test = await createMigratedDatabase(t)
const clients = createClients(t, test)

t.test(
  `nobody sees or changes what is not theirs, in ${operations} random operations of 50 users (MODEL_SEED=${seed})`,
  async (t) => {
    const counts = await runAgainstModel(test, clients, { seed, users: 50, operations, timeLimit: 85_000 })
    t.comment(counts)
    t.equal(
      Object.values(counts).reduce((sum, count) => sum + count, 0),
      operations,
      'all of them within the time',
    )
  },
)
