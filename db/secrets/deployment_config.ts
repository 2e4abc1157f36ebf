/** The platform's own secrets. For services. The settings that are none are `config` of the package's root. */
import { sql } from 'kysely'
import type { SealedSecret } from '../../types/index.ts'
import { NotFoundError } from '../client/errors.ts'
import { keyset, limitOf } from '../queries/page.ts'
import type { Page } from '../queries/page.ts'
import type { ServiceDatabase } from '../client/session.ts'
import type { SecretBox } from './secret-box.ts'
import type { SecretContext } from './crypto/context.ts'
import { NotEncryptedError } from './errors.ts'
import { assertOutsideTransaction } from './assert-no-transaction.ts'
import type { SecretValue } from './crypto/value.ts'

/** What was to be a secret and is none goes no further than where it lies. */
const sealedValue = sql<SealedSecret | null>`case when encrypted then value end`

const contextOf = (key: string): SecretContext => ({ table: 'deployment_config', key })

/**
 * Reads and opens a secret setting. For services, outside of transactions.
 *
 * @returns `undefined` where there is none.
 * @throws {NotEncryptedError} `secret_not_encrypted`: it is a plain one.
 * @throws {SecretError} whatever `SecretBox.open` throws; `secret_tampered` for a value of another key.
 * @example
 * const key = await deployment_config.findSecret(serviceDb, box, 'github.app_private_key')
 */
export async function findSecret(db: ServiceDatabase, box: SecretBox, key: string): Promise<SecretValue | undefined> {
  assertOutsideTransaction(db)
  const setting = await db
    .selectFrom('deployment_config')
    .select(sealedValue.as('sealed'))
    .where('key', '=', key)
    .executeTakeFirst()
  if (setting === undefined) return undefined
  if (setting.sealed === null) throw isPlain()
  return box.open(contextOf(key), setting.sealed)
}

/**
 * `findSecret` for a secret that has to be there. For services, outside of transactions.
 *
 * @throws {NotFoundError} `not_found`.
 * @throws {NotEncryptedError} `secret_not_encrypted`: it is a plain one.
 * @example
 * await deployment_config.setSecret(serviceDb, box, 'fly.token', new SecretValue(token))
 * const flyToken = await deployment_config.getSecret(serviceDb, box, 'fly.token')
 */
export async function getSecret(db: ServiceDatabase, box: SecretBox, key: string): Promise<SecretValue> {
  const value = await findSecret(db, box, key)
  if (value === undefined) throw new NotFoundError('not_found', 'there is no such secret: set it in deployment_config')
  return value
}

/**
 * Seals a value and makes or changes a secret setting; the history tells when, never what. For services, outside of
 * transactions.
 *
 * @param options `description`: what it is for; left out, it stays as it is.
 * @throws {NotEncryptedError} `secret_not_encrypted`: it is a plain setting, whose readers would find no value any
 *   more. `config.delete` it first; what it was goes from the history once it is sealed.
 * @throws {InvalidSecretUseError} `invalid_secret_use`: a key that no setting can have, or inside of a transaction.
 * @throws {SecretError} whatever `SecretBox.seal` throws.
 * @example
 * await deployment_config.setSecret(serviceDb, box, 'fly.token', new SecretValue(token), { description: 'deploys' })
 */
export async function setSecret(
  db: ServiceDatabase,
  box: SecretBox,
  key: string,
  secret: SecretValue,
  { description }: { readonly description?: string | null } = {},
): Promise<void> {
  assertOutsideTransaction(db)
  const value = await box.seal(contextOf(key), secret)
  const described = description === undefined ? {} : { description }
  const written = await db
    .insertInto('deployment_config')
    .values({ key, value, encrypted: true, ...described })
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet({ value, ...described }).where('deployment_config.encrypted', '=', true),
    )
    .returning('key')
    .executeTakeFirst()
  if (written === undefined) throw isPlain()
}

const keys = keyset('deployment_config.keys', 'text')

/**
 * Lists the keys of all settings, plain ones too, and which are secret. For services.
 *
 * @returns a page and `next`: the cursor of the page after it, or null.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
 * @example
 * const { keys } = await deployment_config.listKeys(serviceDb, { limit: 100 })
 */
export async function listKeys(
  db: ServiceDatabase,
  page: Page = {},
): Promise<{ keys: { key: string; encrypted: boolean }[]; next: string | null }> {
  const after = keys.after(page)
  const found = await db
    .selectFrom('deployment_config')
    .select(['key', 'encrypted'])
    .$if(after !== undefined, (query) => query.where('key', '>', after![0]))
    .orderBy('key')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = keys.cut(found, page, ({ key }) => [key])
  return { keys: rows, next }
}

const isPlain = (): NotEncryptedError =>
  new NotEncryptedError('this setting is not encrypted: use `config`, or delete it and set it as a secret')
