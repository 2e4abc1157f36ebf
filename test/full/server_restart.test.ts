import { randomInt } from 'node:crypto'
import process from 'node:process'
import t from 'tap'
import { numbersFrom } from '../fixtures/random.ts'
import { createServices, restart } from '../postgres/fixtures/restart.ts'
import { stopModes } from '../fixtures/killable_server.ts'

const rounds = 60
const seed = Number(process.env['RESTART_SEED'] ?? randomInt(1_000_000))

t.test(`the same two pools survive ${rounds} restarts of different kinds (RESTART_SEED=${seed})`, async (t) => {
  const services = await createServices(t)
  const random = numbersFrom(seed)
  const open = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length
  let before: number | undefined
  for (let round = 1; round <= rounds; round++) {
    const how = stopModes[Math.floor(random() * stopModes.length)]!
    await t.test(`${round}: ${how}`, (t) => restart(t, services, how))
    before ??= open()
  }
  t.equal(open(), before, 'no socket is leaked')
})
