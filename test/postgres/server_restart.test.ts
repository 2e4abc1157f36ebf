import t from 'tap'
import { createServices, refused, restart, retryUntilConnected } from './fixtures/restart.ts'
import { stopModes } from '../fixtures/killable_server.ts'

const services = await createServices(t)

for (const how of stopModes) {
  t.test(`queries on a server that is stopped (${how}) fail with a connection error, and work again after the restart`, (t) =>
    restart(t, services, how))
}

t.test('a connection to a server that is still starting fails, and the error is safe to retry', async (t) => {
  const { server } = services
  await server.stop('immediate')
  await server.startRejecting()
  const errors = await retryUntilConnected(services, ({ sqlstate }) => sqlstate === '57P03')
  t.match(errors.at(-1), { ...refused, sqlstate: '57P03' })
  await server.stop('immediate')
  await server.start()
  t.strictSame(await retryUntilConnected(services), [], 'no error once it has started')
})
