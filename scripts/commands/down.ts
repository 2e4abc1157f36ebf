import process from 'node:process'
import { main } from '../core/failure.ts'
import { stopDevServer } from '../postgres/server.ts'

await main(async () => {
  const stopped = await stopDevServer()
  process.stdout.write(stopped ? 'PostgreSQL stopped; its data is kept (make up starts it again)\n' : 'PostgreSQL was not running\n')
})
