import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { plural } from './lib/doctor/check.ts'
import { printable } from './lib/doctor/words.ts'
import { Failure, main } from './lib/failure.ts'
import { seconds } from './lib/progress.ts'
import { resolveTarget } from './lib/target.ts'
import type { VerifyFinding } from './lib/verify/finding.ts'
import { verify } from './lib/verify.ts'

/** Exits with 0 when all is as it should be, or known, and with 1 otherwise. `--json` is for machines. */
await main(async () => {
  const { json, deep } = options()
  const started = performance.now()
  const target = await resolveTarget()
  const findings = await verify(target, { deep })
  const wrong = findings.filter(({ isKnown }) => !isKnown).length
  if (json) {
    const report = { database: target.label, is_right: wrong === 0, findings }
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  } else {
    const counts = `${plural(wrong, 'difference')}, ${findings.length - wrong} known`
    const summary = `${target.label}: ${counts} (${seconds(performance.now() - started)})`
    process.stdout.write([...findings.flatMap(lines), summary, ''].join('\n'))
  }
  return wrong === 0 ? 0 : 1
})

function lines({ what, remedy, isKnown }: VerifyFinding): string[] {
  if (isKnown) return [`known  ${printable(what)}`]
  return [`wrong  ${printable(what)}`, ...(remedy === undefined ? [] : [`         → ${printable(remedy)}`])]
}

function options(): { json: boolean; deep: boolean } {
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({ options: { json: flag, deep: flag } }).values
  } catch (cause) {
    const remedy = 'the options are --json and --deep (make verify json=1 deep=1)'
    throw new Failure((cause as Error).message, remedy, { cause })
  }
}
