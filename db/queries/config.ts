/** The settings of the platform that are not secret. For services. `leo-saas-schema/secrets` has the secret ones. */
import { sql } from 'kysely'
import type { Row } from '../../types/index.ts'
import { ConfigEncryptedError, NotFoundError } from '../client/errors.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

/** A setting; `value` is null if it is encrypted. */
export interface Setting extends Pick<Row<'deployment_config'>, 'key' | 'encrypted' | 'description' | 'updated_at'> {
  readonly value: string | null
}

const history = [
  'id',
  'key',
  'action',
  'old_value',
  'new_value',
  'old_encrypted',
  'new_encrypted',
  'old_key_id',
  'new_key_id',
  'actor_role',
  'acting_user_id',
  'changed_at',
  'redacted_at',
] as const

/** A change of a setting; a value is null if there was none, if it is encrypted, or if it was redacted. */
export type ConfigChange = Pick<Row<'deployment_config_history'>, (typeof history)[number]>

/** Ciphertexts are not sent to callers that cannot decrypt them. */
const plainValue = sql<string | null>`case when not encrypted then value end`

/**
 * Reads a setting. For services.
 *
 * @returns the value; `undefined` if there is no such setting.
 * @throws {ConfigEncryptedError} `config_encrypted`: it is a secret.
 * @example
 * const region = (await config.find(serviceDb, 'fly.region')) ?? 'fra'
 */
export async function find(db: ServiceDatabase, key: string): Promise<string | undefined> {
  const setting = await db
    .selectFrom('deployment_config')
    .select([plainValue.as('value'), 'encrypted'])
    .where('key', '=', key)
    .executeTakeFirst()
  if (setting?.encrypted) throw isEncrypted()
  return setting?.value ?? undefined
}

/**
 * Reads a setting that has to exist, as `find` does. For services.
 *
 * @throws {NotFoundError} `not_found`: there is no such setting.
 * @throws {ConfigEncryptedError} `config_encrypted`: it is a secret.
 * @example
 * await config.set(serviceDb, { key: 'fly.region', value: 'fra' })
 * const region = await config.get(serviceDb, 'fly.region')
 */
export async function get(db: ServiceDatabase, key: string): Promise<string> {
  const value = await find(db, key)
  if (value === undefined) throw new NotFoundError('not_found', 'there is no such setting: insert it into deployment_config')
  return value
}

const settings = keyset('config', 'text')

/**
 * Lists the settings by key; the value of a secret one is null. For services.
 *
 * @returns a page, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { settings } = await config.list(serviceDb, { limit: 100 })
 */
export async function list(
  db: ServiceDatabase,
  page: Page = {},
): Promise<{ settings: Setting[]; next: string | null }> {
  const after = settings.after(page)
  const found = await db
    .selectFrom('deployment_config')
    .select(['key', plainValue.as('value'), 'encrypted', 'description', 'updated_at'])
    .$if(after !== undefined, (query) => query.where('key', '>', after![0]))
    .orderBy('key')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = settings.cut(found, page, ({ key }) => [key])
  return { settings: rows, next }
}

/**
 * Inserts or updates a setting that is not secret. The old value is kept in the history, which all services can read. For
 * services.
 *
 * @param setting `description`: the purpose of the setting; kept if absent.
 * @throws {ConfigEncryptedError} `config_encrypted`: the setting is a secret, which a plain value does not overwrite.
 * @throws {ConstraintError} `config_key_form`.
 * @throws {RuleError} `sealed_value_not_declared`: the value is a sealed secret.
 * @example
 * await config.set(serviceDb, { key: 'fly.region', value: 'fra', description: 'where apps are deployed' })
 */
export async function set(
  db: ServiceDatabase,
  { key, value, description }: { readonly key: string; readonly value: string; readonly description?: string | null },
): Promise<void> {
  const described = description === undefined ? {} : { description }
  const written = await db
    .insertInto('deployment_config')
    .values({ key, value, ...described })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet({ value, ...described })
        .where('deployment_config.encrypted', '=', false),
    )
    .returning('key')
    .executeTakeFirst()
  if (written === undefined) throw isEncrypted()
}

/**
 * Deletes a setting, plain or secret. Its plain values are kept in the history. For services.
 *
 * @returns `not_found` if there is no such setting.
 * @example
 * const { outcome } = await config.delete(serviceDb, 'fly.region')
 */
async function remove(db: ServiceDatabase, key: string): Promise<{ outcome: 'deleted' } | { outcome: 'not_found' }> {
  const deleted = await db.deleteFrom('deployment_config').where('key', '=', key).returning('key').executeTakeFirst()
  return { outcome: deleted === undefined ? 'not_found' : 'deleted' }
}
export { remove as delete }

const changes = keyset('config.history', 'number')

/**
 * Lists the changes of a setting, the latest first. For services.
 *
 * @returns a page, empty for a key that never existed, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { changes } = await config.listHistory(serviceDb, { key: 'fly.region' })
 */
export async function listHistory(
  db: ServiceDatabase,
  { key, ...page }: { readonly key: string } & Page,
): Promise<{ changes: ConfigChange[]; next: string | null }> {
  const after = changes.after(page)
  const found = await db
    .selectFrom('deployment_config_history')
    .select(history)
    .where('key', '=', key)
    .$if(after !== undefined, (query) => query.where('id', '<', BigInt(after![0])))
    .orderBy('id', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = changes.cut(found, page, ({ id }) => [id])
  return { changes: rows, next }
}

const isEncrypted = (): ConfigEncryptedError =>
  new ConfigEncryptedError('config_encrypted', 'the setting is encrypted: use leo-saas-schema/secrets, or delete it first')
