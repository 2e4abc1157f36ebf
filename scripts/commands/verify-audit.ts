import process from 'node:process'
import { parseArgs } from 'node:util'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { exists } from '../migrate/migrator.ts'
import { step } from '../core/progress.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'
import { verifyAudit } from '../operate/audit.ts'
import type { Head } from '../operate/audit.ts'

/**
 * `make verify-audit head=<id>:<hash>`: looks for entries of the history of config that were changed, removed or moved,
 * and prints the head to be kept elsewhere and named the next time. Exits with 1 when it found something.
 */
await main(async () => {
  const head = keptHead()
  const target = await resolveTarget()
  const report = await step('reading the history of config', (say) =>
    withClient(target, async (client) => {
      if (!(await exists(client, 'public.deployment_config_history'))) {
        throw new Failure(`${target.label} has no history of config`, 'run `make migrate` first')
      }
      return orFailure(target, () => verifyAudit(client, { ...(head && { head }), report: (read) => say(`${read} entries`) }))
    }),
  )
  for (const { code, object, what } of report.findings) process.stdout.write(`✖ ${code} ${object}: ${what}\n`)
  const count = report.findings.length
  process.stdout.write(`${target.label}: ${report.entries} entries, ${count === 0 ? 'whole' : `${count} findings`}\n`)
  if (report.head && count === 0) process.stdout.write(`head=${report.head.id}:${report.head.hash}\n`)
  return count === 0 ? 0 : 1
})

function keptHead(): Head | undefined {
  const { head } = parseArgs({ options: { head: { type: 'string' } } }).values
  if (head === undefined) return undefined
  const [, id, hash] = /^(\d+):([0-9a-f]{64})$/.exec(head) ?? []
  if (id === undefined || hash === undefined) {
    throw new Failure(`"${head}" is no head`, 'name one as make verify-audit printed it: head=<id>:<hash>')
  }
  return { id, hash }
}
