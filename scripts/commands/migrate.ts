import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'migrate',
  summary: 'Apply the pending migrations',
  example: 'migrate plan=1',
  reads: ['DATABASE_URL'],
})
  .flag('plan', 'do not apply: show order, SQL size, locks and time, as measured on a scratch server')
  .run<{ plan?: boolean }>(async ({ plan: isPlan }) => {
    const { seconds, stepOnTerminal } = await import('../core/progress.ts')
    const { resolveTarget } = await import('../postgres/resolve-target.ts')
    const { migrate } = await import('../migrate/migrator.ts')
    const target = await resolveTarget()
    if (isPlan) {
      const { planInText, planMigration } = await import('../schema/measure/plan.ts')
      const plan = await stepOnTerminal('rehearsing the pending migrations', () => planMigration(target))
      process.stdout.write(`${target.label}\n${planInText(plan)}`)
      return
    }
    const started = performance.now()
    const { applied } = await migrate(target, { say: console.log })
    const result = applied.length === 0 ? 'nothing to apply' : `${applied.length} applied`
    process.stdout.write(`${target.label}: ${result} (${seconds(performance.now() - started)})\n`)
  })
