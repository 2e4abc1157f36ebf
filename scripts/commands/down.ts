import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'down',
  summary: 'Stop the embedded PostgreSQL; its data stays',
  example: 'down',
}).run(async () => {
  const { stopDevServer } = await import('../postgres/server.ts')
  const stopped = await stopDevServer()
  process.stdout.write(stopped ? 'PostgreSQL stopped; its data stays (make up starts it again)\n' : 'PostgreSQL was not running\n')
})
