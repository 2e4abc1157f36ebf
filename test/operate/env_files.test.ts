import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'dotenv'
import t from 'tap'
import { parseSealedSecret, SecretValue } from '../../db/secrets/index.ts'
import { boxFor } from '../../scripts/operate/keys/settings.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { parseDatabaseUrl } from '../../scripts/core/target.ts'
import { readDeclaration } from '../../scripts/operate/settings/declaration.ts'
import { readEnv, writeEnv } from '../../scripts/operate/settings/env-file.ts'
import { planImport, writeImport } from '../../scripts/operate/settings/import.ts'
import { runLeo } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { encodingsOf } from '../fixtures/prints.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { kmsEnvironment } from '../fixtures/sealed_rows.ts'
import { devBox, inEnvironment, startKms } from '../fixtures/secret_boxes.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const folder = await mkdtemp(join(tmpdir(), 'leo-env-'))
t.teardown(() => rm(folder, { recursive: true }))
const inFile = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

const failure = { name: 'Failure' }

t.test('readEnv parses an env file as dotenv does', (t) => {
  const text = [
    '# a comment, = and all',
    'PLAIN=a value # with a comment',
    'export EXPORTED = 1',
    `QUOTED=" a # b "`,
    `LITERAL='$HOME\\n'`,
    'LINES="-----BEGIN KEY-----',
    'abc==',
    '# not a comment',
    '-----END KEY-----"',
    '',
    'EMPTY=',
    'dotted.name-1=x\r',
  ].join('\n')
  t.strictSame(Object.fromEntries(readEnv(text, 'f')), {
    PLAIN: 'a value',
    EXPORTED: '1',
    QUOTED: ' a # b ',
    LITERAL: '$HOME\\n',
    LINES: '-----BEGIN KEY-----\nabc==\n# not a comment\n-----END KEY-----',
    EMPTY: '',
    'dotted.name-1': 'x',
  })
  t.end()
})

t.test('a line without an effect is rejected', (t) => {
  const lines = {
    'the same name twice': ['A=1', 'B=2', 'A=3'],
    'the same name and value twice': ['A=1', 'A=1'],
    'a name twice, with a value of several lines': ['A="1', '2"', 'A=3'],
    'a line without an assignment': ['A=1', 'gho_token'],
    'a name with a space': ['A B=1'],
    'a name that objects cannot have': ['__proto__=1'],
  }
  for (const [title, text] of Object.entries(lines)) {
    t.throws(() => readEnv(text.join('\n'), 'f'), failure, title)
  }
  t.throws(() => readEnv('A=1\nsecret', 'f'), { message: 'f:2 has no effect' }, 'the error has the line number, not the text')
  t.strictSame(readEnv('', 'f').size, 0)
  t.end()
})

t.test('readEnv restores every value that writeEnv accepts', (t) => {
  const marks = `' " \` \\ # $ = \${A} \\n \\r \n \r \t é 💥 \u2028 \u00a0 \ufeff a b export A=1`
  const pieces = [...marks.split(' '), ' ', '\r\n', '  ']
  const random = numbersFrom(6)
  const randomPiece = (): string => pieces[Math.floor(random() * pieces.length)]!
  const randomValue = (): string => Array.from({ length: random() * 12 }, randomPiece).join('')
  const values = [...pieces, ...Array.from({ length: 3_000 }, randomValue)]
  const refused: string[] = []
  const wrong: string[] = []
  const settings = new Map<string, string>()
  for (const [index, value] of values.entries()) {
    try {
      if (readEnv(writeEnv(new Map([['A', value]])), 'f').get('A') !== value) wrong.push(value)
      settings.set(`N${index}`, value)
    } catch (error) {
      if ((error as Error).name !== failure.name) throw error
      refused.push(value)
    }
  }
  t.strictSame(wrong, [])
  t.ok(refused.length < values.length / 5, `${refused.length} of ${values.length} values cannot be represented`)
  t.strictSame(refused.filter((value) => !/['"`]/.test(value) && !/\\/.test(value)), [], 'every such value contains quotes')
  const text = writeEnv(settings)
  t.strictSame(parse(text), Object.fromEntries(settings), 'all values in one file are restored')
  t.not(parse(`A='a\\'\nB=b'\n`)['A'], 'a\\', 'not every way of quoting is restored')
  t.strictSame(writeEnv(new Map([...settings].reverse())), text, 'the output is sorted')
  t.end()
})

t.test('a declaration accepts the same names as the database', async (t) => {
  const declared = await readDeclaration(await inFile('s.txt', '# names\nA plain # why\r\n\n  b.c-d\tsecret\n'))
  t.strictSame([...declared], [['A', 'plain'], ['b.c-d', 'secret']])
  await t.resolves(readDeclaration('db/settings.txt'), 'the declaration of this repository is valid')
  for (const text of ['A', 'A other', 'A plain secret', 'A plain\nA secret']) {
    await t.rejects(readDeclaration(await inFile('s.txt', text)), failure, text)
  }
  await t.rejects(readDeclaration(join(folder, 'none')), failure)

  const db = await createMigratedDatabase(t)
  const stored = (name: string) =>
    db.owner.query(`insert into deployment_config (key, value) values ($1, '')`, [name]).then(
      () => true,
      () => false,
    )
  for (const name of ['A', 'a.B_c-1', 'x'.repeat(128), 'x'.repeat(129), '_A', '1A', '.a', 'É', 'A=B', 'A:B']) {
    const isDeclared = await readDeclaration(await inFile('s.txt', `${name} plain`)).then(
      () => true,
      () => false,
    )
    t.equal(isDeclared, await stored(name), name)
  }
})

const declared = new Map([
  ['REGION', 'plain'],
  ['ORGANIZATION', 'plain'],
  ['STRIPE_KEY', 'secret'],
  ['GITHUB_KEY', 'secret'],
] as const)
const values = {
  REGION: 'fra-of-all-places',
  ORGANIZATION: `it's "ours"`,
  // Unique in each run, because the server log that is searched can contain several runs.
  STRIPE_KEY: `sk_live_not_to_be_printed_${randomUUID()}`,
  GITHUB_KEY: 'of\ntwo $lines',
}

t.test('an import writes new and changed settings, with secrets sealed; a second import writes nothing', async (t) => {
  const db = await createMigratedDatabase(t)
  const { kms, box } = await startKms(t)
  const settings = new Map(Object.entries(values))
  const outcomes = async () =>
    (await planImport(db.owner, settings, declared, () => box)).map(({ key, outcome }) => [key, outcome])
  const run = async () =>
    writeImport(db.target, settings, await planImport(db.owner, settings, declared, () => box), () => box)
  const rows = async () =>
    (await db.owner.query('select key, value, encrypted, xmin::text from deployment_config order by key')).rows
  const keys = ['GITHUB_KEY', 'ORGANIZATION', 'REGION', 'STRIPE_KEY']

  t.strictSame(await outcomes(), keys.map((key) => [key, 'new']))
  t.strictSame([await rows(), kms.takeCalls()], [[], 0], 'planning writes nothing and does not call KMS')

  await run()
  const written = await rows()
  const { ORGANIZATION, REGION } = values
  const [isSealed, isPlain] = [{ encrypted: true }, { encrypted: false }]
  t.match(written, [isSealed, { value: ORGANIZATION, ...isPlain }, { value: REGION, ...isPlain }, isSealed])
  for (const { key, value } of written.filter(({ encrypted }) => encrypted)) {
    const opened = await box.open({ table: 'deployment_config', key }, parseSealedSecret(value))
    t.equal(opened.reveal(), values[key as keyof typeof values])
  }

  kms.takeCalls()
  t.strictSame(await outcomes(), keys.map((key) => [key, 'same']))
  await run()
  t.strictSame(await rows(), written)
  t.equal(kms.takeCalls(), kms.takeCalls('Decrypt') + 4, 'planning opens the two secrets, twice')

  settings.set('STRIPE_KEY', 'sk_live_another')
  settings.set('REGION', 'ams')
  const changed = ['REGION', 'STRIPE_KEY']
  t.strictSame((await outcomes()).filter(([, outcome]) => outcome !== 'same'), changed.map((key) => [key, 'changed']))
  await run()
  const touched = (await rows()).filter((row, index) => row.xmin !== written[index]!.xmin)
  t.strictSame(touched.map(({ key }) => key), changed)

  kms.keys.deny('Decrypt', await box.currentKeyId())
  await t.rejects(outcomes(), failure, 'comparing a secret requires the permission to decrypt')
})

t.test('a plain setting that is declared secret is sealed, and its plain values are removed from the history', async (t) => {
  const db = await createMigratedDatabase(t)
  const box = devBox()
  await db.owner.query(`insert into deployment_config (key, value) values ('STRIPE_KEY', $1)`, [values.STRIPE_KEY])
  const settings = new Map([['STRIPE_KEY', values.STRIPE_KEY]])
  const plan = await planImport(db.owner, settings, declared, () => box)
  t.match(plan, [{ key: 'STRIPE_KEY', outcome: 'sealed' }])
  await writeImport(db.target, settings, plan, () => box)
  const isStored = async (): Promise<boolean> => {
    const { rows } = await db.owner.query<{ c: string }>(
      'select c::text from deployment_config as c union all select h::text from deployment_config_history as h',
    )
    return rows.some((row) => row.c.includes(values.STRIPE_KEY))
  }
  t.notOk(await isStored())
  await db.owner.query(`insert into deployment_config (key, value) values ('other', $1)`, [values.STRIPE_KEY])
  t.ok(await isStored(), 'the search finds a stored value')
})

t.test('invalid settings are rejected, and nothing is written', async (t) => {
  const db = await createMigratedDatabase(t)
  const box = devBox()
  const sealed = await box.seal({ table: 'deployment_config', key: 'REGION' }, new SecretValue('x'))
  await db.owner.query(`insert into deployment_config (key, value, encrypted) values ('REGION', $1, true)`, [sealed])
  const plan = (settings: Readonly<Record<string, string>>) =>
    planImport(db.owner, new Map(Object.entries(settings)), declared, () => box)
  const refused: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'a setting that is not declared': { OTHER_KEY: 'x' },
    'a secret that is declared as plain': { REGION: 'fra' },
    'a plain value that is already sealed': { ORGANIZATION: sealed },
    'a secret that is already sealed': { STRIPE_KEY: sealed },
    'an empty secret': { STRIPE_KEY: '' },
    'the character U+0000': { ORGANIZATION: '\0' },
  }
  for (const [title, settings] of Object.entries(refused)) await t.rejects(plan(settings), failure, title)
  await t.resolves(plan({ ORGANIZATION: '', STRIPE_KEY: 'x' }), 'valid settings are accepted')

  const settings = new Map([['ORGANIZATION', 'ours'], ['REGION', 'fra']])
  const outdatedPlan = [...settings.keys()].map((key) => ({ key, kind: 'plain', outcome: 'changed' }) as const)
  await t.rejects(writeImport(db.target, settings, outdatedPlan, () => box), failure, 'a setting sealed since the plan')
  const { rows } = await db.owner.query('select key from deployment_config')
  t.strictSame(rows, [{ key: 'REGION' }], 'the whole import is rolled back')
  const { box: foreign } = await startKms(t)
  const isSecret = new Map([['REGION', 'secret']] as const)
  const unreadable = planImport(db.owner, new Map([['REGION', 'x']]), isSecret, () => foreign)
  await t.rejects(unreadable, failure, 'a secret that cannot be opened')
})

t.test('the development key is used for a local database only', async (t) => {
  const local = parseDatabaseUrl('postgres://x@127.0.0.1/leo')
  const remote = parseDatabaseUrl('postgres://x@db.example.com/leo?sslmode=require')
  const none = { KMS_SEAL_WITH: undefined, KMS_ACCEPT: undefined }
  await inEnvironment({ ...none, NODE_ENV: 'development' }, async () => {
    t.ok(boxFor(local))
    t.throws(() => boxFor(remote), failure)
  })
  await inEnvironment({ ...none, NODE_ENV: 'production' }, async () => t.throws(() => boxFor(local), failure))
  await inEnvironment({ ...none, KMS_ACCEPT: 'arn', NODE_ENV: 'test' }, async () => {
    t.throws(() => boxFor(local), failure, 'an incomplete KMS configuration is an error')
  })
})

t.test('import-env previews without CONFIRM and prints no value; export-env prints plain settings only', async (t) => {
  const db = await createMigratedDatabase(t)
  const { kms, arn } = await startKms(t)
  const env = kmsEnvironment(kms, arn, [arn])
  const lines = [...declared].map((pair) => pair.join(' '))
  const settings = `--settings=${await inFile('settings.txt', lines.join('\n'))}`
  const args = [settings, `--file=${await inFile('.env', writeEnv(new Map(Object.entries(values))))}`]

  const dry = await runLeo(db, 'import-env', args, env)
  t.match(dry, { code: 0, stdout: /new {5}REGION\n.*new {5}STRIPE_KEY \(secret\)\n.*preview: nothing was changed/s }, dry.stderr)
  t.equal(kms.takeCalls(), 0)
  t.match(await runLeo(db, 'import-env', args, { ...env, CONFIRM: 'another' }), { code: 1 })
  t.equal((await db.owner.query('select from deployment_config')).rowCount, 0)

  const done = await runLeo(db, 'import-env', args, { ...env, CONFIRM: db.name })
  t.match(done, { code: 0, stdout: /4 written/ }, done.stderr)
  const again = await runLeo(db, 'import-env', args, { ...env, CONFIRM: db.name })
  t.match(again, { code: 0, stdout: /same {4}STRIPE_KEY \(secret\)\n.*no setting differs/s }, again.stderr)

  const exported = await runLeo(db, 'export-env', [])
  const { REGION, ORGANIZATION } = values
  t.strictSame(Object.fromEntries(readEnv(exported.stdout, 'f')), { ORGANIZATION, REGION }, exported.stderr)
  t.match(exported.stdout, /# GITHUB_KEY is secret\n# STRIPE_KEY is secret\n$/)
  const back = await runLeo(db, 'import-env', [settings, `--file=${await inFile('.back', exported.stdout)}`], env)
  t.match(back, { code: 0, stdout: /no setting differs/ })

  const twice = await inFile('.twice', `STRIPE_KEY=${values.STRIPE_KEY}\nSTRIPE_KEY=x\n`)
  const refused = await runLeo(db, 'import-env', [settings, `--file=${twice}`], env)
  t.match(refused, { code: 1, stderr: /:1 has no effect/ })
  const outputs = [dry, done, again, back, refused].map(({ stdout, stderr }) => stdout + stderr).join('')
  const printed = (output: string) => Object.values(values).flatMap(encodingsOf).filter((text) => output.includes(text))
  t.strictSame(printed(outputs), [])
  t.strictSame(printed(exported.stdout), [REGION, ORGANIZATION], 'the search finds a printed value')

  await withClient(clusterAdmin(db.name), async (admin) => {
    const isLogged = async (text: string): Promise<boolean> => {
      const log = `select pg_read_file(regexp_replace(current_setting('data_directory'), '/data$', '/log')) as text`
      const { rows } = await admin.query<{ text: string }>(log)
      return rows[0]!.text.includes(text)
    }
    t.notOk(await isLogged(values.STRIPE_KEY))
    await admin.query(`select '${values.STRIPE_KEY}'::integer`).catch(() => undefined)
    t.ok(await isLogged(values.STRIPE_KEY), 'the search finds a logged value')
  })
})
