import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import t from 'tap'
import type pg from 'pg'
import { parseUserId } from '../../db/index.ts'
import { SecretValue } from '../../db/secrets/index.ts'
import type { SecretBox, SecretContext } from '../../db/secrets/index.ts'
import { countKeys } from '../../scripts/operate/keys/usage.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import type { DatabaseFixture } from '../fixtures/database.ts'
import { startKmsProcess } from '../fixtures/kms_process.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { startKms } from '../fixtures/secret_boxes.ts'
import { kmsEnvironment, insertSealed, findUnreadable, createLocalSealer } from '../fixtures/sealed_rows.ts'

/** For a short run: `ROTATION_ROWS=5000`. */
const rows = Number(process.env['ROTATION_ROWS'] ?? 100_000)
/** Latency of the KMS endpoint in milliseconds: with 32 concurrent calls it answers 640 calls per second. */
const latency = 50

t.setTimeout(1_200_000)

/** Runs the command with the flags of the Makefile. At exit it prints its maximum resident set size. */
function start({ target }: DatabaseFixture, rate: number, env: Readonly<Record<string, string>>) {
  const atExit = `process.on('exit', () => process.stderr.write('maxRSS=' + process.resourceUsage().maxRSS))`
  const command = execFileSync('make', ['-n', 'rotate-keys'], { cwd: fromRoot(), encoding: 'utf8' })
  const flags = /^node (.*) scripts\/leo\.ts/m.exec(command)![1]!.split(' ')
  const imports = [...flags, `--import=data:text/javascript,${encodeURIComponent(atExit)}`]
  const child = spawn(process.execPath, [...imports, fromRoot('scripts', 'leo.ts'), 'rotate-keys', `--rate=${rate}`], {
    cwd: fromRoot(),
    env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: target.dbmateUrl, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const add = (text: string): void => void (output += text)
  child.stdout.setEncoding('utf8').on('data', add)
  child.stderr.setEncoding('utf8').on('data', add)
  return { child, output: () => output, ended: once(child, 'close') }
}

const usage = async (owner: pg.Client): Promise<Map<string, number>> => {
  const sums = new Map<string, number>()
  for (const { keyId, rows } of await countKeys(owner)) sums.set(keyId, (sums.get(keyId) ?? 0) + rows)
  return sums
}

t.test(`a re-wrap of ${rows} secrets is limited by the endpoint only, and needs less than 200 MiB`, async (t) => {
  const db = await createMigratedDatabase(t)
  const { kms, arn, boxOf } = await startKms(t)
  const newArn = kms.keys.create()
  const accept = [arn, newArn]
  const endpoint = await startKmsProcess(t, kms, accept, latency)
  const box = boxOf({ sealWith: newArn, accept, endpoint, deadlineMs: 30_000 })
  await fill(db.owner, createLocalSealer(kms, arn))

  const alone = await rateOf(box, createLocalSealer(kms, arn))
  const started = performance.now()
  const run = start(db, 10_000, kmsEnvironment({ endpoint }, newArn, accept))
  t.strictSame(await run.ended, [0, null], run.output())
  const seconds = (performance.now() - started) / 1000
  const megabytes = Number(/maxRSS=(\d+)/.exec(run.output())?.[1]) / 1024
  const rate = rows / seconds
  t.comment(
    `${seconds.toFixed(0)} s, ${rate.toFixed(0)} per second; KMS alone with the same concurrency: ${alone.toFixed(0)}; ` +
      `peak memory ${megabytes.toFixed(0)} MiB`,
  )
  t.ok(rate > 0.7 * alone, 'the rate is close to the rate of the endpoint')
  t.ok(megabytes < 200)
  t.strictSame([...(await usage(db.owner))], [[newArn, rows]])

  async function fill(owner: pg.Client, sealer: SecretBox): Promise<void> {
    const users = await owner.query<{ id: string }>(
      `insert into auth.users (id, email, created_at)
       select gen_random_uuid(), n || '@example.com', now() from generate_series(1, $1) as n returning id`,
      [Math.ceil(rows / 100)],
    )
    const value = new SecretValue('x'.repeat(1_000))
    for (const [index, { id }] of users.rows.entries()) {
      const providers = Array.from({ length: Math.min(100, rows - index * 100) }, (_, number) => `p${number}`)
      const user_id = parseUserId(id)
      const sealed = await Promise.all(
        providers.map((provider) => sealer.seal({ table: 'user_secrets', user_id, provider }, value)),
      )
      await owner.query(
        `insert into user_secrets (user_id, provider, encrypted_token)
         select $1, * from unnest($2::text[], $3::text[])`,
        [id, providers, sealed],
      )
    }
  }

  /** Calls per second to the endpoint, without a database. */
  async function rateOf(box: SecretBox, sealer: SecretBox): Promise<number> {
    const context: SecretContext = { table: 'deployment_config', key: 'key' }
    const sealed = await sealer.seal(context, new SecretValue('x'))
    const until = performance.now() + 10_000
    let calls = 0
    const work = async (): Promise<void> => {
      for (; performance.now() < until; calls++) await box.rewrap(context, sealed)
    }
    await Promise.all(Array.from({ length: 32 }, work))
    return calls / 10
  }
})

t.test('a rotation that is killed at random moments loses no secret', async (t) => {
  const db = await createMigratedDatabase(t)
  const { kms, arn, boxOf } = await startKms(t)
  const newArn = kms.keys.create()
  const accept = [arn, newArn]
  const count = 1_500
  const kept = await insertSealed(db.owner, createLocalSealer(kms, arn), count)
  const opener = boxOf({ sealWith: newArn, accept })
  const env = kmsEnvironment(kms, newArn, accept)
  const random = numbersFrom(20)
  let calls = 0
  let before = 0
  for (let kills = 1; kills <= 12; kills++) {
    kms.latency = Math.floor(random() * 20)
    const run = start(db, 2_000, env)
    await kms.waitForCalls(1 + Math.floor(random() * 90))
    // At random between two calls, while a page is read or while one is written.
    await new Promise((resolve) => setTimeout(resolve, random() * 40))
    run.child.kill('SIGKILL')
    t.strictSame(await run.ended, [null, 'SIGKILL'])
    calls += kms.takeCalls()
    const done = (await usage(db.owner)).get(newArn) ?? 0
    t.ok(done >= before, `after kill ${kills}: ${done} of ${count} re-wrapped`)
    before = done
    const sample = kept.filter(() => random() < 0.05)
    t.strictSame(await findUnreadable(db.owner, opener, sample), [])
    kms.takeCalls()
  }
  t.ok(before > 0 && before < count, 'the rotation is not finished after the kills')
  kms.latency = 0
  const last = start(db, 10_000, env)
  t.strictSame(await last.ended, [0, null], last.output())
  calls += kms.takeCalls()
  t.ok(calls - count <= 12 * 100, `${calls - count} calls were repeated`)
  t.strictSame([...(await usage(db.owner))], [[newArn, count]])
  t.strictSame(await findUnreadable(db.owner, opener, kept), [])
})
