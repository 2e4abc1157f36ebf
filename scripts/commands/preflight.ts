import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { Failure } from '../core/failure.ts'

export const command = new LeoCommand({
  name: 'preflight',
  summary: 'Before an upgrade, read only: locks and time of the pending migrations, dirty data',
  example: 'preflight deep=1',
  exits: { 0: 'go', 1: 'go after a decision', 2: 'refused, or an error' },
  reads: ['DATABASE_URL'],
  usageExitCode: 2,
})
  .flag('json', 'print JSON, as described in scripts/upgrade/preflight/report.ts')
  .flag('deep', 'read all files of snapshots instead of a sample')
  .run<{ json?: boolean; deep?: boolean }>(async ({ json, deep = false }) => {
    try {
      const { orFailure, withClient } = await import('../core/connect.ts')
      const { stepOnTerminal } = await import('../core/progress.ts')
      const { requireUtf8 } = await import('../migrate/migrator.ts')
      const { resolveTarget } = await import('../postgres/resolve-target.ts')
      const { preflight } = await import('../upgrade/preflight/examine.ts')
      const { formatReport } = await import('../upgrade/preflight/format-text.ts')
      const { exitCode } = await import('../upgrade/preflight/report.ts')
      const target = await resolveTarget()
      await withClient(target, (client) => orFailure(target, () => requireUtf8(target, client)))
      const title = 'examining the database and rehearsing the migrations'
      const report = await stepOnTerminal(title, (say) => preflight(target, { deep, say }))
      const isColoured = process.stdout.isTTY && !process.env['NO_COLOR']
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, isColoured))
      return exitCode(report)
    } catch (error) {
      // Exit code 1 means that a decision is required, so an error exits with 2.
      if (error instanceof Failure) throw new Failure(error.message, error.remedy, { cause: error, exitCode: 2 })
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
      return 2
    }
  })
