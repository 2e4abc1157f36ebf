import t from 'tap'
import { createServices, knock, refused, restart } from './fixtures/restart.ts'
import { stops } from '../fixtures/victim_server.ts'

const services = await createServices(t)

for (const how of stops) {
  t.test(`who asks a server that is stopped (${how}) hears what became of it, and works on`, (t) => restart(t, services, how))
}

t.test('a server that is still starting is a failed connection, safe to ask again', async (t) => {
  const { server } = services
  await server.stop('immediate')
  await server.startClosed()
  const complaints = await knock(services, ({ sqlstate }) => sqlstate === '57P03')
  t.match(complaints.at(-1), { ...refused, sqlstate: '57P03' })
  await server.stop('immediate')
  await server.start()
  t.strictSame(await knock(services), [], 'once it has started')
})
