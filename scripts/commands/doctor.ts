import process from 'node:process'
import { parseArgs } from 'node:util'
import { inWords } from '../operate/doctor/format-text.ts'
import { examine, exitCode } from '../operate/doctor/doctor.ts'
import { Failure, main } from '../core/failure.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'
import { readAdopted } from '../upgrade/adopted.ts'

/** Exits with 0 when there is nothing to do, 1 for warnings, 2 for something bad. `--json` is for machines. */
await main(async () => {
  const json = wantsJson()
  const report = await examine(await resolveTarget(), { readAccepted: readAdopted })
  const isColoured = process.stdout.isTTY && !process.env['NO_COLOR']
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : inWords(report, isColoured))
  return exitCode(report)
})

function wantsJson(): boolean {
  try {
    return parseArgs({ options: { json: { type: 'boolean', default: false } } }).values.json
  } catch (cause) {
    throw new Failure((cause as Error).message, 'the only option is --json (make doctor json=1)', { cause })
  }
}
