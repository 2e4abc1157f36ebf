import process from 'node:process'
import { LeoCommand, wholeNumber } from '../core/command.ts'
import { isConfirmedOrLocal, previewLine } from '../core/confirm.ts'
import { Failure } from '../core/failure.ts'
import type { Rotation } from '../operate/keys/rotate.ts'

/** The number of skipped rows that are listed. */
const listed = 100

export const command = new LeoCommand({
  name: 'rotate-keys',
  summary: 'Wrap the data keys of all secrets with the current key',
  example: 'rotate-keys rate=50 CONFIRM=postgres',
  exits: { 1: 'some secrets are left under other keys, or an error', 130: 'stopped; the next run continues' },
  reads: ['DATABASE_URL', 'CONFIRM', 'KMS_SEAL_WITH', 'KMS_ACCEPT', 'NODE_ENV'],
})
  .option('--rate <calls>', 'maximum calls of KMS per second: the account has one quota', wholeNumber(1, 10_000), 200)
  .run<{ rate: number }>(async ({ rate }, { makeLine }) => {
    const { SecretError } = await import('../../db/secrets/index.ts')
    const { batchBar } = await import('../core/batch-progress.ts')
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { rotateKeys } = await import('../operate/keys/rotate.ts')
    const { boxFor } = await import('../operate/keys/settings.ts')
    const { countKeys, keyIndex } = await import('../operate/keys/usage.ts')
    const abort = new AbortController()
    const stop = () => abort.abort()
    return onDatabase([keyIndex], async (client, target) => {
      const { database, label } = target
      const box = boxFor(target)
      if (!isConfirmedOrLocal(target)) {
        const counts = (await countKeys(client)).map(({ table, keyId, rows }) => `  ${table.name}: ${rows} under ${keyId}\n`)
        process.stdout.write(`${label}\n${counts.join('')}${previewLine(makeLine({ CONFIRM: database }))}`)
        return 0
      }
      process.once('SIGINT', stop).once('SIGTERM', stop)
      const bar = batchBar()
      const rotation = await rotateKeys(client, box, { rate, signal: abort.signal, report: bar.report })
        .catch((cause: unknown) => {
          if (!(cause instanceof SecretError)) throw cause
          throw new Failure(cause.message, 'correct the cause and run it again: it continues', { cause })
        })
        .finally(() => {
          bar.stop()
          box.close()
        })
      const { current, rewrapped, isStopped, left } = rotation
      process.stdout.write(`${label}: ${rewrapped} secrets re-wrapped by ${current}\n${formatUnfinished(rotation)}`)
      if (isStopped) {
        process.stdout.write('stopped; run it again to continue\n')
        return 130
      }
      return left.length === 0 ? 0 : 1
    })
  })

function formatUnfinished({ skipped, refused, left, isStopped }: Rotation): string {
  const rows = skipped.slice(0, listed).map(({ table, id, error }) => `  ${table} ${id}: skipped (${error.code})\n`)
  if (skipped.length > listed) rows.push(`  and ${skipped.length - listed} more\n`)
  const keys = left.map(({ table, keyId, rows }) => {
    const why = refused.get(keyId)?.message
    return `  ${table.name}: ${rows} left under ${keyId}${why === undefined ? '' : `: ${why}`}\n`
  })
  if (!isStopped && skipped.length === 0 && left.some(({ keyId }) => !refused.has(keyId))) {
    keys.push('a service still seals with another key, or locks these rows: deploy the new key to it, then run it again\n')
  }
  return [...rows, ...keys].join('')
}
