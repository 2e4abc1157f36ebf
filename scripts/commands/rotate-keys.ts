import process from 'node:process'
import { parseArgs } from 'node:util'
import { SecretError } from '../../db/secrets/index.ts'
import { batchBar } from '../core/batch-progress.ts'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { rotateKeys } from '../operate/keys/rotate.ts'
import type { Rotation } from '../operate/keys/rotate.ts'
import { kmsBox } from '../operate/keys/settings.ts'
import { requireIndexes } from '../operate/keys/usage.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/** Of the rows that were skipped. */
const shown = 100

/**
 * `make rotate-keys`: wraps all secrets by the key that seals now (docs/secrets.md). Exits with 1 when some are left
 * under other keys, with 130 when it was stopped by Ctrl-C: what is done is done, and the next run goes on.
 *   --rate=200  calls of KMS a second, at most: its quota is the whole account's
 */
await main(async () => {
  const rate = readRate()
  const box = kmsBox()
  const target = await resolveTarget()
  if (!target.isLocal && process.env['CONFIRM'] !== target.database) {
    const remedy = `if you mean it, run make rotate-keys CONFIRM=${target.database}`
    throw new Failure(`${target.label} is not on this machine`, remedy)
  }
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)

  return withClient(target, (client) =>
    orFailure(target, async () => {
      await requireIndexes(client, target.label)
      const bar = batchBar()
      const rotation = await rotateKeys(client, box, { rate, signal: abort.signal, report: bar.report })
        .catch((cause: unknown) => {
          if (!(cause instanceof SecretError)) throw cause
          throw new Failure(cause.message, 'then run it again: it goes on with what is left', { cause })
        })
        .finally(() => {
          bar.stop()
          box.close()
        })
      const { current, rewrapped } = rotation
      process.stdout.write(`${target.label}: ${rewrapped} secrets re-wrapped by ${current}\n${unfinished(rotation)}`)
      if (rotation.isStopped) {
        process.stdout.write('stopped; run it again to go on\n')
        return 130
      }
      return rotation.left.length === 0 ? 0 : 1
    }),
  )
})

function unfinished({ skipped, refused, left, isStopped }: Rotation): string {
  const rows = skipped.slice(0, shown).map(({ table, id, error }) => `  ${table} ${id}: skipped (${error.code})\n`)
  if (skipped.length > shown) rows.push(`  and ${skipped.length - shown} more\n`)
  const keys = left.map(({ table, keyId, rows }) => {
    const why = refused.get(keyId)?.message
    return `  ${table.name}: ${rows} left under ${keyId}${why === undefined ? '' : `: ${why}`}\n`
  })
  if (!isStopped && skipped.length === 0 && left.some(({ keyId }) => !refused.has(keyId))) {
    keys.push('somebody still seals by another key, or holds these rows: see to that, then run it again\n')
  }
  return [...rows, ...keys].join('')
}

function readRate(): number {
  const { rate } = parseArgs({ options: { rate: { type: 'string', default: '200' } } }).values
  const number = Number(rate)
  if (Number.isInteger(number) && number >= 1 && number <= 10_000) return number
  throw new Failure(`rate=${rate} is no number of calls a second`, 'say 1 to 10000')
}
