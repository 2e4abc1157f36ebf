import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import { createPool, createServiceClient, parseUserId } from '../../db/index.ts'
import type { SealedSecret, ServiceDatabase } from '../../db/index.ts'
import { deployment_config, RefreshRejectedError, SecretValue, user_secrets } from '../../db/secrets/index.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { printEveryWay, encodingsOf } from '../fixtures/prints.ts'
import { devBox } from '../fixtures/secret_boxes.ts'
import { loginTo, logins } from '../fixtures/server.ts'
import { configure, readServerLog, talkative } from './fixtures/server_log.ts'
import { until } from '../fixtures/until.ts'

const test = await createMigratedDatabase(t)
const user_id = parseUserId(await test.signUp())
const plain = (): string => `gho_${randomBytes(12).toString('hex')}`

/** A service whose sessions have these settings. */
async function serviceWith(t: Test, settings: Readonly<Record<string, string>>): Promise<ServiceDatabase> {
  await configure(test.name, settings)
  const pool = createPool({ ...loginTo(test.name, logins.leo_worker).pg, max: 2 })
  t.teardown(() => pool.end())
  return createServiceClient(pool)
}

/** Reads the log when it contains the last message. */
async function logAfter(db: ServiceDatabase): Promise<string> {
  const word = `end_${randomBytes(8).toString('hex')}`
  await t.rejects(db.selectFrom(word as 'apps').select('id').execute())
  let log = ''
  await until('the server has logged', async () => (log = await readServerLog()).includes(word))
  return log
}

/** Statements that bypass the type and store a plaintext as a secret; each has to be rejected. */
function mistakes(db: ServiceDatabase, text: string): readonly { execute(): Promise<unknown> }[] {
  const encrypted_token = text as SealedSecret
  const setting = { key: 'a.token', value: text, encrypted: true }
  return [
    db.insertInto('user_secrets').values({ user_id, provider: 'github', encrypted_token }),
    db.insertInto('user_secrets').values({ user_id, provider: 'Git Hub', encrypted_token }),
    db.updateTable('user_secrets').set({ encrypted_token }),
    db.insertInto('deployment_config').values(setting),
    db.insertInto('deployment_config').values({ ...setting, key: 'not a key' }),
    db.updateTable('deployment_config').set({ value: text }).where('encrypted', '=', true),
    db.updateTable('deployment_config').set({ value: text, encrypted: true }),
  ]
}

/** Sends these statements and returns the log of the server. */
async function loggedMistakes(t: Test, settings: Readonly<Record<string, string>>) {
  const db = await serviceWith(t, settings)
  const text = plain()
  for (const mistake of mistakes(db, text)) {
    const error: unknown = await mistake.execute().catch((error: unknown) => error)
    t.match(error, { code: 'value_not_sealed', constraint: 'sealed_secret_form_check' })
    t.notOk(has(printEveryWay(error).join('\n'), text), 'the error does not contain it')
  }
  return { log: await logAfter(db), text }
}

const has = (log: string, text: string): boolean => encodingsOf(text).some((spelling) => log.includes(spelling))

t.before(async () => {
  const db = await serviceWith(t, {})
  await user_secrets.put(db, devBox(), { user_id, provider: 'fly', value: new SecretValue('hush') })
  await deployment_config.setSecret(db, devBox(), 'fly.token', new SecretValue('hush'))
})

t.test('with default settings a rejected plaintext is in no error and not in the log', async (t) => {
  const { log, text } = await loggedMistakes(t, {})
  t.notOk(has(log, text))
  t.match(log, /value for domain sealed_secret violates check constraint/, 'the rejection is logged')
})

const quiet = [
  { log_min_error_statement: 'debug5' },
  { log_error_verbosity: 'verbose' },
  { log_parameter_max_length: '-1' },
]
for (const settings of quiet) {
  t.test(`also with ${JSON.stringify(settings)}`, async (t) => {
    const { log, text } = await loggedMistakes(t, settings)
    t.notOk(has(log, text))
  })
}

/** Settings that log the parameters of a statement before the schema checks them. */
const telling: readonly Readonly<Record<string, string>>[] = [
  { log_statement: 'all' },
  { log_statement: 'mod' },
  { log_parameter_max_length_on_error: '-1' },
  talkative,
]
for (const settings of telling) {
  t.test(`a server that logs parameters logs it: ${JSON.stringify(settings)}`, async (t) => {
    const { log, text } = await loggedMistakes(t, settings)
    t.ok(has(log, text), 'which proves that the search finds it')
  })
}

t.test('unless the length of logged parameters is 0', async (t) => {
  const without = { log_parameter_max_length: '0', log_parameter_max_length_on_error: '0' }
  const { log, text } = await loggedMistakes(t, { ...talkative, ...without })
  t.notOk(has(log, text))
  t.match(log, /encrypted_token/, 'statements are logged')
})

t.test('with any log settings, secrets stored through this package are logged sealed', async (t) => {
  const db = await serviceWith(t, talkative)
  const box = devBox()
  const name = { user_id, provider: 'github' }
  const [first, second, setting] = [plain(), plain(), plain()]
  const tokens = (text: string, ms: number) => {
    const token = new SecretValue(text)
    return { access_token: token, refresh_token: token, expires_at: new Date(Date.now() + ms) }
  }
  await user_secrets.put(db, box, { ...name, tokens: tokens(first, 0) })
  const refuse = () => Promise.reject(new RefreshRejectedError())
  await t.rejects(user_secrets.refresh(db, box, name, refuse), { code: 'refresh_rejected' })
  await user_secrets.put(db, box, { ...name, tokens: tokens(first, 0) })
  await user_secrets.refresh(db, box, name, async () => tokens(second, 3_600_000))
  await deployment_config.setSecret(db, box, 'b.token', new SecretValue(setting))
  t.equal((await deployment_config.getSecret(db, box, 'b.token')).reveal(), setting)
  await user_secrets.delete(db, name)
  const log = await logAfter(db)
  t.match(log, /leo1\.dev\./, 'the sealed secrets are logged')
  for (const text of [first, second, setting]) t.notOk(has(log, text))
})
