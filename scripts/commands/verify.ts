import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { Failure, main } from '../core/failure.ts'
import { seconds } from '../core/progress.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'
import type { VerifyFinding } from '../schema/verify/finding.ts'
import { verify } from '../schema/verify/verify.ts'
import { plural, printable } from '../core/text.ts'
import { readAdopted } from '../upgrade/adopted.ts'
import { examineBooks } from '../upgrade/books.ts'

/** Exits with 0 when all is as it should be, or known, and with 1 otherwise. `--json` is for machines. */
await main(async () => {
  const { json, deep } = options()
  const started = performance.now()
  const target = await resolveTarget()
  const books = (client: pg.Client) => examineBooks(client, { deep, report: everyTenSeconds() })
  const findings = await verify(target, { readAccepted: readAdopted, examinations: [books] })
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

/** Every ten seconds: on a large table reading all files takes hours. */
function everyTenSeconds(): (read: number) => void {
  let next = performance.now() + 10_000
  return (read) => {
    if (performance.now() < next) return
    next = performance.now() + 10_000
    process.stderr.write(`read the files of ${read} snapshots\n`)
  }
}

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
