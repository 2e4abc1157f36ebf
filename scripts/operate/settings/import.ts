import type pg from 'pg'
import { config, createPool, createServiceClient, inTransaction, LeoError } from '../../../db/index.ts'
import { parseSealedSecret, SecretError, SecretValue } from '../../../db/secrets/index.ts'
import type { SealedSecret, SecretBox } from '../../../db/secrets/index.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import type { Kind } from './declaration.ts'

export interface Change {
  readonly key: string
  readonly kind: Kind
  /** `sealed`: the database has the setting unencrypted, and the import encrypts it. */
  readonly outcome: 'new' | 'changed' | 'same' | 'sealed'
}

interface Stored {
  readonly key: string
  readonly value: string
  readonly encrypted: boolean
}

/**
 * Compares the settings of an env file with the database. A sealed value is opened to compare it; `box` is called only
 * in this case.
 *
 * @throws Failure for a setting that is not declared, or that is secret in the database and declared as plain.
 */
export async function planImport(
  client: pg.Client,
  settings: ReadonlyMap<string, string>,
  declared: ReadonlyMap<string, Kind>,
  box: () => SecretBox,
): Promise<Change[]> {
  const undeclared = [...settings.keys()].filter((key) => !declared.has(key))
  if (undeclared.length > 0) {
    const remedy = 'declare each of them in db/settings.txt as plain or secret'
    throw new Failure(`undeclared settings: ${undeclared.join(', ')}`, remedy)
  }
  const { rows } = await client.query<Stored>(
    'select key, value, encrypted from public.deployment_config where key = any ($1)',
    [[...settings.keys()]],
  )
  const stored = new Map(rows.map((row) => [row.key, row]))
  const changes: Change[] = []
  for (const key of [...settings.keys()].sort()) {
    const kind = declared.get(key)!
    const value = settings.get(key)!
    assertStorable(key, kind, value)
    const current = stored.get(key)
    if (kind === 'plain' && current?.encrypted) {
      const remedy = 'declare it as secret in db/settings.txt, or delete it from the database first'
      throw new Failure(`${key} is secret in the database and declared as plain`, remedy)
    }
    changes.push({ key, kind, outcome: await outcomeOf(current, kind, value, box) })
  }
  return changes
}

/** Writes all changes in one transaction. */
export async function writeImport(
  target: Target,
  settings: ReadonlyMap<string, string>,
  changes: readonly Change[],
  box: () => SecretBox,
): Promise<void> {
  const pending = changes.filter(({ outcome }) => outcome !== 'same')
  if (pending.length === 0) return
  const sealed = new Map<string, SealedSecret>()
  for (const { key, kind } of pending) {
    if (kind === 'plain') continue
    const context = { table: 'deployment_config', key } as const
    sealed.set(key, await withKeyInError(key, () => box().seal(context, new SecretValue(settings.get(key)!))))
  }
  const pool = createPool({ ...target.pg, max: 1, lock_timeout: 10_000 })
  try {
    await inTransaction(createServiceClient(pool), async (trx) => {
      for (const { key } of pending) {
        const value = sealed.get(key)
        if (value === undefined) {
          await config.set(trx, { key, value: settings.get(key)! })
          continue
        }
        const row = { value, encrypted: true }
        await trx
          .insertInto('deployment_config')
          .values({ key, ...row })
          .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
          .execute()
      }
    })
  } catch (cause) {
    if (!(cause instanceof LeoError)) throw cause
    const message = `nothing was written: ${cause.message} (${cause.code})`
    throw new Failure(message, 'correct the cause, then run the command again', { cause })
  } finally {
    await pool.end()
  }
}

function assertStorable(key: string, kind: Kind, value: string): void {
  if (value.startsWith('leo1.')) {
    throw new Failure(`the value of ${key} is already sealed`, 'write the unencrypted value into the env file')
  }
  if (value.includes('\0')) {
    throw new Failure(`${key} contains the character U+0000, which PostgreSQL cannot store`, 'remove the character')
  }
  if (kind === 'secret' && value === '') throw new Failure(`${key} is a secret without a value`, 'remove the line')
}

async function outcomeOf(
  current: Stored | undefined,
  kind: Kind,
  value: string,
  box: () => SecretBox,
): Promise<Change['outcome']> {
  if (current === undefined) return 'new'
  if (kind === 'plain') return current.value === value ? 'same' : 'changed'
  if (!current.encrypted) return 'sealed'
  const { key } = current
  const context = { table: 'deployment_config', key } as const
  const opened = await withKeyInError(key, () => box().open(context, parseSealedSecret(current.value)))
  return opened.reveal() === value ? 'same' : 'changed'
}

async function withKeyInError<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof SecretError)) throw cause
    const remedy = 'nothing was written; to replace a value that cannot be opened, delete it first'
    throw new Failure(`${key}: ${cause.message}`, remedy, { cause })
  }
}
