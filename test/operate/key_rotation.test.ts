import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import t from 'tap'
import type { Test } from 'tap'
import { kmsKeys, SecretBox, SecretValue } from '../../db/secrets/index.ts'
import { connect } from '../../scripts/core/connect.ts'
import { rotateKeys } from '../../scripts/operate/keys/rotate.ts'
import type { RotateOptions, Rotation } from '../../scripts/operate/keys/rotate.ts'
import { pageOf, write } from '../../scripts/operate/keys/rows.ts'
import { sealedTables } from '../../scripts/operate/keys/tables.ts'
import { byIndex, countKeys, usageOf } from '../../scripts/operate/keys/usage.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { runScript } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import type { DatabaseFixture } from '../fixtures/database.ts'
import { spellings } from '../fixtures/prints.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { startKms } from '../fixtures/secret_boxes.ts'
import { environmentOf, insertSealed, lost, readSealed, sealerOf, textOf, writeSealed } from '../fixtures/sealed_rows.ts'
import type { Kept } from '../fixtures/sealed_rows.ts'

// What waits, waits together: those that are buffered.
t.jobs = 3

/** A database with so many secrets under one key, and a box that seals by another. */
/** Longer than a busy machine takes: what is asked again is another call. */
const deadlineMs = 30_000

async function rotation(t: Test, count: number) {
  const db = await createMigratedDatabase(t)
  const { kms, arn: oldArn, boxOf } = await startKms(t)
  const newArn = kms.keys.create()
  const accept = [oldArn, newArn]
  const rows = await insertSealed(db.owner, sealerOf(kms, oldArn), count)
  return {
    db,
    kms,
    oldArn,
    newArn,
    boxOf: (sealWith: string) => boxOf({ sealWith, accept, deadlineMs }),
    box: boxOf({ sealWith: newArn, accept, deadlineMs }),
    rows,
    /** As the environment of an operator has it. */
    environment: environmentOf(kms, newArn, accept),
  }
}

async function rotate(
  { target }: DatabaseFixture,
  box: SecretBox,
  options: Partial<RotateOptions> = {},
): Promise<Rotation> {
  // It sets what only its own session should have.
  const client = await connect(target)
  try {
    return await rotateKeys(client, box, { rate: 5_000, patienceMs: 20_000, ...options })
  } finally {
    await client.end()
  }
}

const counts = async ({ owner }: DatabaseFixture): Promise<Record<string, number>> => {
  const sums: Record<string, number> = {}
  for (const { keyId, rows } of await countKeys(owner)) sums[keyId] = (sums[keyId] ?? 0) + rows
  return sums
}

async function partOf(index: 3 | 4, { owner }: DatabaseFixture, rows: readonly Kept[]): Promise<string[]> {
  const parts: string[] = []
  for (const row of rows) parts.push((await readSealed(owner, row)).split('.')[index]!)
  return parts
}

t.test('all that is sealed is wrapped by the current key, once', async (t) => {
  const { db, kms, box, boxOf, oldArn, newArn, rows } = await rotation(t, 130)
  t.strictSame(await counts(db), { [oldArn]: 130 })
  const log = 'select id from user_activity_log union all select id from deployment_config_history'
  const before = (await db.owner.query(log)).rows
  const bodies = await partOf(4, db, rows)
  kms.keys.deny('Decrypt', oldArn)
  kms.keys.deny('Decrypt', newArn)

  const done = await rotate(db, box)
  t.match(done, { rewrapped: 130, skipped: { length: 0 }, left: { length: 0 }, isStopped: false, current: newArn })
  t.equal(kms.takeCalls('ReEncrypt'), 130)
  t.strictSame(await counts(db), { [newArn]: 130 })
  t.strictSame(await partOf(4, db, rows), bodies)
  t.strictSame((await db.owner.query(log)).rows, before, 'no entry in the log or the history')

  t.match(await rotate(db, box), { rewrapped: 0, left: { length: 0 } })
  t.equal(kms.takeCalls(), 0, 'and no call')

  kms.keys.allow('Decrypt', newArn)
  kms.keys.remove(oldArn)
  t.strictSame(await lost(db.owner, boxOf(newArn), rows), [])
  kms.keys.deny('Decrypt', newArn)
  t.equal((await lost(db.owner, boxOf(newArn), rows.slice(0, 3))).length, 3, 'a look that finds what does not open')
})

t.test('a token that its owner replaces is logged, so the log would have had an entry', async (t) => {
  const { db, kms, oldArn, rows } = await rotation(t, 1)
  const [row] = rows
  if (row?.context.table !== 'user_secrets') throw new Error('the first row is a token')
  await db.owner.query(`select set_config('leo.acting_user', $1, false)`, [row.context.user_id])
  await writeSealed(db.owner, row, await sealerOf(kms, oldArn).seal(row.context, new SecretValue('new')))
  const { rows: entries } = await db.owner.query('select action from user_activity_log order by id')
  t.match(entries, [{ action: 'connect' }, { action: 'replace' }])
})

t.test('keys are counted, and pages read, by index', async (t) => {
  const { db } = await rotation(t, 10)
  await db.owner.query('analyze')
  for (const table of sealedTables) {
    const index = `${table.name.replace('public.', '')}_sealing_key_`
    const plan = async (statement: string, values: readonly unknown[] = [], settings = byIndex): Promise<string> => {
      await db.owner.query(`begin; ${settings}`)
      // Run: what a recursive step does is not in a plan that is only shown.
      const text = `explain (analyze, costs off) ${statement}`
      const { rows } = await db.owner.query<{ 'QUERY PLAN': string }>(text, [...values])
      await db.owner.query('rollback')
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    }
    const usage = await plan(usageOf(table))
    t.equal(usage.match(/Index (Only )?Scan using (\w+)/g)?.filter((line) => line.includes(index)).length, 3, usage)
    t.notMatch(usage, /Seq Scan on (user_secrets|deployment_config|cleanup_outbox)/)
    const page = await plan(pageOf(table, true), ['x'])
    t.match(page, new RegExp(`Index Scan using ${index}`))
    t.notMatch(page, /Sort/)
    const without = 'set local enable_indexscan = off; set local enable_bitmapscan = off'
    t.match(await plan(usageOf(table), [], without), /Seq Scan on (user_secrets|deployment_config|cleanup_outbox)/)
  }
})

t.test('a row that somebody replaced, or holds, is not overwritten', async (t) => {
  const { db, rows, kms, newArn } = await rotation(t, 2)
  const [replaced, held] = rows as [Kept, Kept]
  const table = sealedTables[0]!
  const tried = async (row: Kept, old: string) => {
    const rewrapped = await sealerOf(kms, newArn).seal(row.context, new SecretValue('x'))
    return write(db.owner, table, [{ id: row.id, old, rewrapped }])
  }

  const stale = await readSealed(db.owner, replaced)
  const fresh = await sealerOf(kms, newArn).seal(replaced.context, new SecretValue('fresh'))
  await writeSealed(db.owner, replaced, fresh)
  t.equal(await tried(replaced, stale), 0)
  t.equal(await readSealed(db.owner, replaced), fresh)
  t.equal(await tried(replaced, fresh), 1, 'as it is, it is written')

  const holder = await db.login('postgres')
  await holder.query('begin')
  await holder.query('select from user_secrets where id = $1 for update', [held.id])
  const before = await readSealed(db.owner, held)
  t.equal(await tried(held, before), 0, 'and nobody waits')
  await holder.query('rollback')
  t.equal(await tried(held, before), 1)
})

t.test('writers go on, with either key, and lose nothing', { buffered: true }, async (t) => {
  const { db, kms, box, boxOf, oldArn, newArn, rows } = await rotation(t, 110)
  kms.latency = 3
  const random = numbersFrom(6)
  const writer = await db.login('postgres')
  const stop = new AbortController()
  let written = 0
  const writing = (async () => {
    while (!stop.signal.aborted) {
      const row = rows[Math.floor(random() * rows.length)]!
      const text = textOf(10_000 + written)
      // The last ones are by the new key: by then every service was told.
      const arn = written < 60 && random() < 0.5 ? oldArn : newArn
      await writeSealed(writer, row, await sealerOf(kms, arn).seal(row.context, new SecretValue(text)))
      row.text = text
      written += 1
    }
  })()
  const first = await rotate(db, box, { rate: 200 })
  stop.abort()
  await writing
  t.ok(written > 20, `${written} written meanwhile`)
  t.ok(first.rewrapped > 0)
  await rotate(db, box)
  t.strictSame(await counts(db), { [newArn]: 110 })
  t.strictSame(await lost(db.owner, boxOf(newArn), rows), [])
})

t.test('a corrupt row is named and left, the others are re-wrapped', { buffered: true }, async (t) => {
  const { db, kms, box, environment, boxOf, newArn, oldArn, rows } = await rotation(t, 60)
  const [first, , , other] = rows as [Kept, unknown, unknown, Kept]
  const setting = rows[8]!
  const cut = (sealed: string) => sealed.replace(/\.[^.]+\.([^.]+)$/, `.${'A'.repeat(160)}.$1`)
  await writeSealed(db.owner, first, cut(await readSealed(db.owner, first)))
  await writeSealed(db.owner, setting, cut(await readSealed(db.owner, setting)))
  await writeSealed(db.owner, other, await readSealed(db.owner, rows[1]!))
  await db.owner.query(`update cleanup_outbox set context = '{}' where id = $1`, [rows[9]!.id])
  const broken = [first, setting, other, rows[9]!]

  const ended = await runScript(db, 'rotate-keys', [], environment)
  t.equal(ended.code, 1, ended.stderr)
  for (const { table, id } of broken) t.match(ended.stdout, `public.${table} ${id}: skipped (`)
  t.equal(ended.stdout.match(/skipped/g)?.length, broken.length)
  t.strictSame(await counts(db), { [newArn]: 56, [oldArn]: 4 })
  t.strictSame(
    await lost(db.owner, boxOf(newArn), rows.filter((row) => !broken.includes(row))),
    [],
  )
  const texts = rows.flatMap(({ text }) => spellings(text))
  const secrets = [...texts, ...(await partOf(3, db, rows)), ...(await partOf(4, db, rows))]
  const isPrinted = (output: string) => secrets.filter((text) => output.includes(text))
  t.strictSame(isPrinted(ended.stdout + ended.stderr), [])
  t.equal(isPrinted(`${ended.stdout}${rows[0]!.text}`).length, 1, 'a look that finds what is there')

  kms.takeCalls()
  t.match(await rotate(db, box), { rewrapped: 0 })
  t.equal(kms.takeCalls(), 3, 'only those are asked about that KMS can be asked about')
})

// Killed again and again, with a look after each time: test/full/key_rotation.test.ts.
t.test('killed at any moment, the next run finds the rest', { buffered: true }, async (t) => {
  const { db, kms, box, boxOf, environment, oldArn, newArn, rows } = await rotation(t, 130)
  const child = spawn(process.execPath, [fromRoot('build', 'scripts', 'commands', 'rotate-keys.js'), '--rate=400'], {
    env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: db.target.dbmateUrl, ...environment },
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  await kms.called(100 + Math.floor(numbersFrom(31)() * 20))
  child.kill('SIGKILL')
  t.strictSame(await ended, [null, 'SIGKILL'])
  const { [oldArn]: left = 0 } = await counts(db)
  t.ok(left > 0, `${left} left`)
  t.match(await rotate(db, box), { rewrapped: left, left: { length: 0 } })
  const calls = kms.takeCalls()
  t.ok(calls <= 130 + 85, `${calls} calls, a kill costs those that were not written`)
  t.strictSame(await counts(db), { [newArn]: 130 })
  t.strictSame(await lost(db.owner, boxOf(newArn), rows), [])
})

t.test('while KMS throttles it slows down, and comes to its end', { buffered: true }, async (t) => {
  const { db, kms, box, newArn } = await rotation(t, 40)
  // More than the SDK's own repetitions of the first calls swallow, however slow the machine.
  kms.breakBy({ error: 'ThrottlingException' }, { times: 120 })
  const pauses = new Set<string | undefined>()
  const done = await rotate(db, box, { report: ({ pause }) => void pauses.add(pause) })
  t.match(done, { rewrapped: 40, left: { length: 0 } })
  t.ok(pauses.has('key_throttled'), 'it was throttled')
  t.strictSame(await counts(db), { [newArn]: 40 })
})

t.test('a KMS that goes away is waited for; one that was never there is not', { buffered: true }, async (t) => {
  const { db, kms, box, boxOf, oldArn } = await rotation(t, 80)
  kms.breakBy('drop')
  await t.rejects(rotate(db, box), { code: 'key_service_unavailable' })
  kms.mend()
  const run = rotate(db, box, { rate: 200 })
  kms.takeCalls()
  await kms.called(30)
  kms.breakBy({ error: 'KMSInternalException' }, { times: 12 })
  t.match(await run, { left: { length: 0 } })

  kms.breakBy({ error: 'ThrottlingException' })
  const back = rotate(db, boxOf(oldArn), { patienceMs: 500 })
  await t.rejects(back, { code: 'key_throttled' }, 'nor is anything for ever')
})

t.test('a key that may not be used is named, and its rows are left', { buffered: true }, async (t) => {
  const { db, kms, box, oldArn, newArn, environment } = await rotation(t, 100)
  const foreign = kms.keys.create()
  await insertSealed(db.owner, sealerOf(kms, foreign), 10)
  for (const [right, code] of [['ReEncryptFrom', 'key_access_denied'], ['ReEncryptTo', 'key_access_denied']] as const) {
    const arn = right === 'ReEncryptFrom' ? oldArn : newArn
    kms.keys.deny(right, arn)
    const denied = await rotate(db, box)
    t.match(denied, { rewrapped: 0, refused: new Map([[oldArn, { code }]]) }, right)
    t.ok(kms.takeCalls() <= 32, 'and KMS is not asked about each of them')
    kms.keys.allow(right, arn)
  }
  kms.keys.setState(oldArn, 'Disabled')
  const ended = await runScript(db, 'rotate-keys', [], environment)
  t.match(ended, { code: 1, stdout: new RegExp(`left under ${oldArn}: KMS cannot use the key`) }, ended.stderr)
  kms.keys.setState(oldArn, 'Enabled')

  const usage = await runScript(db, 'key-usage', [], environment)
  t.match(usage, { code: 1, stdout: new RegExp(`${foreign}: user_secrets 8.*\\(not accepted\\)`) }, usage.stderr)
  t.match(usage.stdout, new RegExp(`${oldArn}: .*user_secrets 80`))
  // KMS is not asked about it: its answer would be another.
  kms.keys.deny('ReEncryptFrom', foreign)
  t.match(await rotate(db, box), { rewrapped: 100, refused: new Map([[foreign, { code: 'key_not_accepted' }]]) })
  kms.keys.allow('ReEncryptFrom', foreign)
  t.match(await runScript(db, 'key-usage', [], { ...environment, KMS_ACCEPT: `${newArn},${foreign}` }), { code: 0 })
})

t.test('an alias that is moved meanwhile is followed', { buffered: true }, async (t) => {
  const { db, kms, oldArn, newArn, boxOf } = await rotation(t, 120)
  kms.keys.pointAlias('alias/leo', newArn)
  const third = kms.keys.create()
  const keys = kmsKeys({ sealWith: 'alias/leo', accept: [oldArn, newArn, third], endpoint: kms.endpoint })
  const box = new SecretBox(keys)
  t.teardown(() => box.close())
  const run = rotate(db, box, { rate: 300 })
  await kms.called(60)
  kms.keys.pointAlias('alias/leo', third)
  t.match(await run, { current: third, left: { length: 0 } })
  t.strictSame(await counts(db), { [third]: 120 })

  kms.keys.pointAlias('alias/leo', kms.keys.create())
  await t.rejects(rotate(db, box), { code: 'key_not_accepted' }, 'not to a key that nobody may open')
  t.match(await rotate(db, boxOf(newArn)), { refused: new Map([[third, {}]]) })
})

t.test('stopped, it has written what it has', { buffered: true }, async (t) => {
  const { db, kms, box, oldArn, newArn } = await rotation(t, 120)
  const abort = new AbortController()
  const run = rotate(db, box, { rate: 200, signal: abort.signal })
  await kms.called(30)
  abort.abort()
  const { isStopped, rewrapped } = await run
  t.ok(isStopped)
  t.strictSame(await counts(db), { [oldArn]: 120 - rewrapped, [newArn]: rewrapped })
  t.equal(rewrapped, kms.takeCalls('ReEncrypt'))
})

t.test('the command wants its settings, and a word for a database elsewhere', { buffered: true }, async (t) => {
  const { db, environment, newArn, oldArn } = await rotation(t, 1)
  const run = (changes: Readonly<Record<string, string>>, ...args: string[]) =>
    runScript(db, 'rotate-keys', args, { ...environment, ...changes })
  const [without, wrong, elsewhere, rate, insecure] = await Promise.all([
    run({ KMS_ACCEPT: '' }),
    run({ KMS_ACCEPT: oldArn }),
    run({ DATABASE_URL: 'postgres://x@db.example.com/leo?sslmode=require' }),
    run({}, '--rate=0'),
    run({ NODE_ENV: 'production' }),
  ])
  t.match(without, { code: 1, stderr: /KMS_ACCEPT is not set/ })
  t.match(wrong, { code: 1, stderr: /not accepted.*KMS_ACCEPT/ })
  t.match(elsewhere, { code: 1, stderr: /CONFIRM=leo/ })
  t.match(rate, { code: 1, stderr: /rate=0/ })
  t.match(insecure, { code: 1, stdout: /left under .*https endpoint/ }, 'without TLS, where it matters')
  t.strictSame(await counts(db), { [oldArn]: 1 })
  t.match(await run({}), { code: 0, stdout: new RegExp(`1 secrets re-wrapped by ${newArn}`) })
})
