import process from 'node:process'
import { parseArgs } from 'node:util'
import { Failure, main } from '../core/failure.ts'
import { preflight } from '../upgrade/preflight/examine.ts'
import { exitCode } from '../upgrade/preflight/report.ts'
import { formatReport } from '../upgrade/preflight/format-text.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/**
 * Exits with 0 to go, 1 to go after a decision, 2 when something refuses: also when it could not look, so that a
 * pipeline never takes that for a question. `--json` is for machines, its shape in lib/preflight/report.ts; `--deep`
 * looks into every file instead of a sample.
 */
await main(async () => {
  try {
    const { json, deep } = options()
    const say = (line: string) => process.stderr.write(`${line}\n`)
    const report = await preflight(await resolveTarget(), { deep, say })
    const isColoured = process.stdout.isTTY && !process.env['NO_COLOR']
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, isColoured))
    return exitCode(report)
  } catch (error) {
    if (error instanceof Failure) throw new Failure(error.message, error.remedy, { cause: error, exitCode: 2 })
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    return 2
  }
})

function options(): { json: boolean; deep: boolean } {
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({ options: { json: flag, deep: flag } }).values
  } catch (cause) {
    const remedy = 'the options are --json and --deep (make preflight json=1 deep=1)'
    throw new Failure((cause as Error).message, remedy, { cause })
  }
}
