import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'migrate',
  summary: 'Apply the pending migrations',
  example: 'migrate',
  reads: ['DATABASE_URL'],
}).run(async () => {
  const { seconds } = await import('../core/progress.ts')
  const { resolveTarget } = await import('../postgres/resolve-target.ts')
  const { migrate } = await import('../migrate/migrator.ts')
  const target = await resolveTarget()
  const started = performance.now()
  const { applied } = await migrate(target, { say: console.log })
  const result = applied.length === 0 ? 'nothing to apply' : `${applied.length} applied`
  process.stdout.write(`${target.label}: ${result} (${seconds(performance.now() - started)})\n`)
})
