import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import { createPool, createServiceClient, parseUserId } from '../../db/index.ts'
import type { SealedSecret, ServiceDatabase } from '../../db/index.ts'
import { deployment_config, RefreshRejectedError, SecretValue, user_secrets } from '../../db/secrets/index.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { everyPrint, spellings } from '../fixtures/prints.ts'
import { devBox } from '../fixtures/secret_boxes.ts'
import { loginTo, logins } from '../fixtures/server.ts'
import { configure, readServerLog, talkative } from './fixtures/server_log.ts'
import { until } from '../fixtures/until.ts'

const test = await createTestDatabase(t)
const user_id = parseUserId(await test.signUp())
const plain = (): string => `gho_${randomBytes(12).toString('hex')}`

/** A service whose sessions begin with these settings. */
async function serviceWith(t: Test, settings: Readonly<Record<string, string>>): Promise<ServiceDatabase> {
  await configure(test.name, settings)
  const pool = createPool({ ...loginTo(test.name, logins.leo_worker).pg, max: 2 })
  t.teardown(() => pool.end())
  return createServiceClient(pool)
}

/** The log, once it has what was logged last. */
async function logAfter(db: ServiceDatabase): Promise<string> {
  const word = `end_${randomBytes(8).toString('hex')}`
  await t.rejects(db.selectFrom(word as 'apps').select('id').execute())
  let log = ''
  await until('the server has logged', async () => (log = await readServerLog()).includes(word))
  return log
}

/** Somebody passes the brand by and sends a plaintext, wherever a secret is stored; each has to be refused. */
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

/** Sends the mistakes and returns what the server has logged of them. */
async function loggedMistakes(t: Test, settings: Readonly<Record<string, string>>) {
  const db = await serviceWith(t, settings)
  const text = plain()
  for (const mistake of mistakes(db, text)) {
    const error: unknown = await mistake.execute().catch((error: unknown) => error)
    t.match(error, { code: 'value_not_sealed', constraint: 'sealed_secret_form_check' })
    t.notOk(has(everyPrint(error).join('\n'), text), 'the error repeats nothing')
  }
  return { log: await logAfter(db), text }
}

const has = (log: string, text: string): boolean => spellings(text).some((spelling) => log.includes(spelling))

t.before(async () => {
  const db = await serviceWith(t, {})
  await user_secrets.put(db, devBox(), { user_id, provider: 'fly', value: new SecretValue('hush') })
  await deployment_config.setSecret(db, devBox(), 'fly.token', new SecretValue('hush'))
})

t.test('as a server logs by itself, a refused plaintext is in no error and not in the log', async (t) => {
  const { log, text } = await loggedMistakes(t, {})
  t.notOk(has(log, text))
  t.match(log, /value for domain sealed_secret violates check constraint/, 'the refusal is')
})

const quiet = [
  { log_min_error_statement: 'debug5' },
  { log_error_verbosity: 'verbose' },
  { log_parameter_max_length: '-1' },
]
for (const settings of quiet) {
  t.test(`nor with ${JSON.stringify(settings)}`, async (t) => {
    const { log, text } = await loggedMistakes(t, settings)
    t.notOk(has(log, text))
  })
}

/** These log the parameters of whatever is sent, before anything of the schema sees it. */
const telling: readonly Readonly<Record<string, string>>[] = [
  { log_statement: 'all' },
  { log_statement: 'mod' },
  { log_parameter_max_length_on_error: '-1' },
  talkative,
]
for (const settings of telling) {
  t.test(`a server that is told to log parameters logs it: ${JSON.stringify(settings)}`, async (t) => {
    const { log, text } = await loggedMistakes(t, settings)
    t.ok(has(log, text), 'which shows that this look finds what is there')
  })
}

t.test('unless it is also told to leave parameters out', async (t) => {
  const without = { log_parameter_max_length: '0', log_parameter_max_length_on_error: '0' }
  const { log, text } = await loggedMistakes(t, { ...talkative, ...without })
  t.notOk(has(log, text))
  t.match(log, /encrypted_token/, 'statements are logged')
})

t.test('however much it logs, what goes through this package is sealed by then', async (t) => {
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
  t.match(log, /leo1\.dev\./, 'the sealed ones are in it')
  for (const text of [first, second, setting]) t.notOk(has(log, text))
})
