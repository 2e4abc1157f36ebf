import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'up',
  summary: 'Start the embedded PostgreSQL (or use DATABASE_URL), migrate it, load sample data',
  example: 'up',
  reads: ['DATABASE_URL'],
}).run(async () => {
  const { up } = await import('../operate/up.ts')
  await up()
})
