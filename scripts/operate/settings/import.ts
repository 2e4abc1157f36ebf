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
  /** `sealed`: it is there, in plain. */
  readonly outcome: 'new' | 'changed' | 'same' | 'sealed'
}

interface Stored {
  readonly key: string
  readonly value: string
  readonly encrypted: boolean
}

/**
 * What the settings of an env file would change in the database. What is sealed there is opened, to see whether it is
 * the same; `box` is asked for only then.
 *
 * @throws Failure for a setting that is not declared, or that is secret in the database and declared to be plain.
 */
export async function planImport(
  client: pg.Client,
  settings: ReadonlyMap<string, string>,
  declared: ReadonlyMap<string, Kind>,
  box: () => SecretBox,
): Promise<Change[]> {
  const undeclared = [...settings.keys()].filter((key) => !declared.has(key))
  if (undeclared.length > 0) {
    const remedy = 'say of each in db/settings.txt whether it is plain or secret'
    throw new Failure(`not declared: ${undeclared.join(', ')}`, remedy)
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
    const there = stored.get(key)
    if (kind === 'plain' && there?.encrypted) {
      const remedy = 'correct db/settings.txt, or delete it first'
      throw new Failure(`${key} is a secret in the database and declared to be plain`, remedy)
    }
    changes.push({ key, kind, outcome: await outcomeOf(there, kind, value, box) })
  }
  return changes
}

/** All or nothing. */
export async function writeImport(
  target: Target,
  settings: ReadonlyMap<string, string>,
  changes: readonly Change[],
  box: () => SecretBox,
): Promise<void> {
  const due = changes.filter(({ outcome }) => outcome !== 'same')
  if (due.length === 0) return
  const sealed = new Map<string, SealedSecret>()
  for (const { key, kind } of due) {
    if (kind === 'plain') continue
    const context = { table: 'deployment_config', key } as const
    sealed.set(key, await explained(key, () => box().seal(context, new SecretValue(settings.get(key)!))))
  }
  const pool = createPool({ ...target.pg, max: 1, lock_timeout: 10_000 })
  try {
    await inTransaction(createServiceClient(pool), async (trx) => {
      for (const { key } of due) {
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
    const what = `nothing was written: ${cause.message} (${cause.code})`
    throw new Failure(what, 'see to that, then run it again', { cause })
  } finally {
    await pool.end()
  }
}

function assertStorable(key: string, kind: Kind, value: string): void {
  if (value.startsWith('leo1.')) throw new Failure(`${key} is sealed already`, 'put its value into the env file')
  if (value.includes('\0')) throw new Failure(`${key} has a character that no text has`, 'remove the U+0000')
  if (kind === 'secret' && value === '') throw new Failure(`${key} is secret and empty`, 'remove the line')
}

async function outcomeOf(
  there: Stored | undefined,
  kind: Kind,
  value: string,
  box: () => SecretBox,
): Promise<Change['outcome']> {
  if (there === undefined) return 'new'
  if (kind === 'plain') return there.value === value ? 'same' : 'changed'
  if (!there.encrypted) return 'sealed'
  const { key } = there
  const context = { table: 'deployment_config', key } as const
  const opened = await explained(key, () => box().open(context, parseSealedSecret(there.value)))
  return opened.reveal() === value ? 'same' : 'changed'
}

async function explained<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof SecretError)) throw cause
    const remedy = 'nothing was written; to replace what does not open, delete it first'
    throw new Failure(`${key}: ${cause.message}`, remedy, { cause })
  }
}
