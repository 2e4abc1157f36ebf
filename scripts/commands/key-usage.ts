import process from 'node:process'
import { orFailure, withClient } from '../core/connect.ts'
import { main } from '../core/failure.ts'
import { acceptedKeys } from '../operate/keys/settings.ts'
import { countKeys, requireIndexes } from '../operate/keys/usage.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/**
 * `make key-usage`: how many secrets each key sealed. Asks the database only. Where KMS_ACCEPT says which keys are
 * accepted, it exits with 1 when a secret needs another one.
 */
await main(async () => {
  const accepted = acceptedKeys()
  const target = await resolveTarget()
  const counted = await withClient(target, (client) =>
    orFailure(target, async () => {
      await requireIndexes(client, target.label)
      return countKeys(client)
    }),
  )
  const keys = [...new Set([...counted.map(({ keyId }) => keyId), ...(accepted ?? [])])].sort()
  const isUnknown = (keyId: string): boolean => accepted !== undefined && !accepted.has(keyId)
  process.stdout.write(`${target.label}\n`)
  for (const key of keys) {
    const tables = counted.filter(({ keyId }) => keyId === key)
    const rows = tables.map(({ table, rows }) => `${table.name.replace('public.', '')} ${rows}`).join(', ')
    process.stdout.write(`  ${key}: ${rows || 'nothing'}${isUnknown(key) ? ' (not accepted)' : ''}\n`)
  }
  if (keys.length === 0) process.stdout.write('  nothing is sealed\n')
  if (!counted.some(({ keyId }) => isUnknown(keyId))) return 0
  process.stdout.write('some of this opens for nobody: add the missing keys to KMS_ACCEPT, or store it anew\n')
  return 1
})
