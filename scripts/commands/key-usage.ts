import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'key-usage',
  summary: 'Show how many secrets each key seals, and (with KMS_ACCEPT) which keys are not accepted',
  example: 'key-usage json=1',
  exits: { 1: 'a secret needs a key that is not accepted, or an error' },
  reads: ['DATABASE_URL', 'KMS_ACCEPT'],
})
  .flag('json', 'print JSON')
  .run<{ json?: boolean }>(async ({ json }) => {
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { acceptedKeys } = await import('../operate/keys/settings.ts')
    const { countKeys, keyIndex } = await import('../operate/keys/usage.ts')
    const accepted = acceptedKeys()
    return onDatabase([keyIndex], async (client, { label }) => {
      const counted = await countKeys(client)
      const ids = [...new Set([...counted.map(({ keyId }) => keyId), ...(accepted ?? [])])].sort()
      const keys = ids.map((id) => {
        const tables = counted.filter(({ keyId }) => keyId === id).map(({ table, rows }) => [table.name.replace('public.', ''), rows])
        const secrets = Object.fromEntries(tables) as Record<string, number>
        return { key_id: id, is_accepted: accepted?.has(id) ?? null, secrets }
      })
      const isReadable = keys.every(({ is_accepted, secrets }) => is_accepted !== false || Object.keys(secrets).length === 0)
      process.stdout.write(
        json ? `${JSON.stringify({ database: label, is_readable: isReadable, keys }, null, 2)}\n` : inText(label, keys, isReadable),
      )
      return isReadable ? 0 : 1
    })
  })

interface Key {
  readonly key_id: string
  /** Null when KMS_ACCEPT is not set. */
  readonly is_accepted: boolean | null
  /** Rows by table. */
  readonly secrets: Readonly<Record<string, number>>
}

function inText(label: string, keys: readonly Key[], isReadable: boolean): string {
  const lines = keys.map(({ key_id, is_accepted, secrets }) => {
    const rows = Object.entries(secrets).map(([table, count]) => `${table} ${count}`).join(', ')
    return `  key ${key_id}: ${rows || 'no secret'}${is_accepted === false ? ' (not accepted)' : ''}`
  })
  if (keys.length === 0) lines.push('  no secret is sealed')
  if (!isReadable) lines.push('secrets of a key that is not accepted cannot be opened: add it to KMS_ACCEPT, or store them again')
  return [label, ...lines, ''].join('\n')
}
