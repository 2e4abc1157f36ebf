/** The secret settings of the platform. For services. `config` of `leo-saas-schema` has the plain ones. */
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

/** A plain value is not read, so that it leaves the database on no path of this module. */
const sealedValue = sql<SealedSecret | null>`case when encrypted then value end`

const contextOf = (key: string): SecretContext => ({ table: 'deployment_config', key })

/**
 * Reads and opens a secret setting. For services, outside of transactions.
 *
 * @returns the value; `undefined` if there is no such setting.
 * @throws {NotEncryptedError} `secret_not_encrypted`: the setting is plain.
 * @throws {SecretError} as `SecretBox.open`; `secret_tampered`: the value was sealed for another key.
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
 * Reads a secret setting that has to exist, as `findSecret` does. For services, outside of transactions.
 *
 * @throws {NotFoundError} `not_found`: there is no such setting.
 * @throws {NotEncryptedError} `secret_not_encrypted`: the setting is plain.
 * @throws {SecretError} as `SecretBox.open`.
 * @example
 * await deployment_config.setSecret(serviceDb, box, 'fly.token', new SecretValue(token))
 * const flyToken = await deployment_config.getSecret(serviceDb, box, 'fly.token')
 */
export async function getSecret(db: ServiceDatabase, box: SecretBox, key: string): Promise<SecretValue> {
  const value = await findSecret(db, box, key)
  if (value === undefined) throw new NotFoundError('not_found', 'there is no such secret setting: store it with setSecret')
  return value
}

/**
 * Seals a value and inserts or updates a secret setting. The history records the change without the value. For services,
 * outside of transactions.
 *
 * @param options `description`: the purpose of the setting; kept if absent.
 * @throws {NotEncryptedError} `secret_not_encrypted`: the setting is plain, and services that read it would get no value.
 *   Delete it with `config.delete` first. Sealing it removes its plain values from the history.
 * @throws {InvalidSecretUseError} `invalid_secret_use`: the key is invalid, or `db` is a transaction.
 * @throws {SecretError} as `SecretBox.seal`.
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
 * Lists the keys of all settings, plain and secret, and whether each is encrypted. For services.
 *
 * @returns a page, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
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
  new NotEncryptedError('the setting is plain: use `config`, or delete it and store it as a secret')
