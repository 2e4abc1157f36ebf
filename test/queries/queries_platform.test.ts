import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import t from 'tap'
import { cleanups, config, inTransaction, parseAppId, parseUserId, supabase_projects } from '../../db/index.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertApp, insertRequest, sealed } from '../fixtures/rows.ts'

const test = await createMigratedDatabase(t)
const { serviceDb } = createClients(t, test)
const ada = parseUserId(await test.signUp())
const newApp = async () => parseAppId(await insertApp(test.owner, ada))
const newRef = (): string => Array.from(randomBytes(20), (byte) => String.fromCharCode(97 + (byte % 26))).join('')
const newProject = (pool: string, capacity = 1) =>
  supabase_projects.insert(serviceDb, { ref: newRef(), pool, region: 'eu-central-1', capacity })

t.test('the pool allocates its capacity once, and then returns exhausted', async (t) => {
  const { ref } = await newProject('small', 2)
  const [one, two, three] = [await newApp(), await newApp(), await newApp()]
  const allocate = (app_id: typeof one) => supabase_projects.allocate(serviceDb, { app_id, pool: 'small' })
  const outcomes = await Promise.all([one, two, three].map(allocate))
  t.strictSame(outcomes.filter(({ outcome }) => outcome === 'exhausted').length, 1)
  const lucky = [one, two, three][outcomes.findIndex(({ outcome }) => outcome === 'allocated')]!
  t.strictSame(await allocate(lucky), { outcome: 'allocated', ref }, 'an app keeps its allocation')
  t.strictSame(await supabase_projects.allocate(serviceDb, { app_id: three, region: 'us-east-1' }), {
    outcome: outcomes[2]!.outcome,
    ...('ref' in outcomes[2]! && { ref }),
  })
  await t.rejects(allocate(parseAppId('00000000-0000-4000-8000-000000000000')), {
    name: 'RuleError',
    code: 'app_not_found',
  })

  t.match(await supabase_projects.update(serviceDb, ref, { status: 'draining' }), {
    outcome: 'updated',
    project: { used: 2, status: 'draining' },
  })
  t.match(await supabase_projects.update(serviceDb, ref, {}), { outcome: 'updated', project: { status: 'draining' } })
  t.strictSame(await supabase_projects.update(serviceDb, newRef(), { capacity: 3 }), { outcome: 'not_found' })
  await t.rejects(supabase_projects.update(serviceDb, ref, { capacity: 1 }), { code: 'capacity_below_use' })
  await t.rejects(supabase_projects.update(serviceDb, ref, { status: 'retired' }), { code: 'retired_not_empty' })

  await t.rejects(
    supabase_projects.release(serviceDb, lucky),
    { code: 'place_not_releasing' },
    'while the app exists',
  )
  await test.owner.query('delete from apps where id = any ($1)', [[one, two, three]])
  await supabase_projects.release(serviceDb, lucky)
  t.match(await supabase_projects.update(serviceDb, ref, { capacity: 1 }), { project: { used: 1 } })
})

t.test('the pool is listed by ref, in pages', async (t) => {
  for (let n = 0; n < 3; n += 1) await newProject('listed')
  const first = await supabase_projects.list(serviceDb, { limit: 2 })
  const second = await supabase_projects.list(serviceDb, { limit: 2, cursor: first.next })
  const { rows } = await test.owner.query('select ref from supabase_projects order by ref')
  t.strictSame(
    [...first.supabase_projects, ...second.supabase_projects].map(({ ref }) => ref),
    rows.map(({ ref }) => ref),
  )
  await t.rejects(
    supabase_projects.insert(serviceDb, first.supabase_projects[0]!),
    { code: 'access_denied' },
    'the use of a project cannot be written',
  )
  const { ref, pool, region, capacity } = first.supabase_projects[0]!
  await t.rejects(supabase_projects.insert(serviceDb, { ref, pool, region, capacity }), {
    code: 'supabase_project_exists',
  })
})

t.test('a clean-up is claimed by one worker, and only its holder can finish or fail it', async (t) => {
  const leave = async () => {
    const id = await newApp()
    await insertRequest(test.owner, ada, id, { github_url: `https://github.com/leo/${id}` })
    await test.owner.query('delete from apps where id = $1', [id])
  }
  const claim = (worker: string, limit?: number) =>
    cleanups.claim(serviceDb, { worker, ...(limit && { limit }), leaseMs: 1000 })
  await test.owner.query(
    'update cleanup_outbox set available_at = now() + interval $$1 day$$ where finished_at is null',
  )
  await leave()
  await leave()
  const [mine, theirs] = await Promise.all([claim('w1'), claim('w2')])
  t.same(new Set([...mine, ...theirs].map(({ id }) => id)).size, 2, 'each worker has another one')
  t.match(mine, [
    {
      kind: 'github_repository',
      target: /^https/,
      attempt: 1,
      context: { user_id: ada },
      sealed_token: null,
      claimed_until: Date,
    },
  ])
  t.strictSame(await claim('w3', 10), [])

  t.strictSame(await cleanups.fail(serviceDb, theirs[0]!, 'no'), { outcome: 'failed' })
  t.strictSame(await cleanups.fail(serviceDb, theirs[0]!, 'no'), { outcome: 'lease_lost' })
  await test.owner.query(
    `update cleanup_outbox set available_at = now(), claimed_until = case when claimed_by is not null then now() end
     where finished_at is null and attempt > 0`,
  )
  const again = await claim('w4', 100)
  t.strictSame(
    again.map(({ attempt }) => attempt),
    [2, 2],
  )
  t.ok(again.some(({ last_error }) => last_error === 'no'))
  t.strictSame(await cleanups.finish(serviceDb, mine[0]!), { outcome: 'lease_lost' }, 'another worker has claimed it')
  for (const cleanup of again) {
    t.strictSame(await cleanups.finish(serviceDb, cleanup), { outcome: 'finished' })
    t.strictSame(await cleanups.finish(serviceDb, cleanup), { outcome: 'lease_lost' })
  }
  await t.rejects(claim('w5', 101), { name: 'RuleError', code: 'claim_out_of_range' })
  await t.rejects(cleanups.claim(serviceDb, { worker: 'w5', leaseMs: 999 }), { code: 'claim_out_of_range' })
})

t.test('a setting is inserted, updated, read and deleted, and its history is kept', async (t) => {
  t.equal(await config.find(serviceDb, 'fly.region'), undefined)
  await t.rejects(config.get(serviceDb, 'fly.region'), { name: 'NotFoundError', code: 'not_found' })
  await config.set(serviceDb, { key: 'fly.region', value: 'fra', description: 'where' })
  await config.set(serviceDb, { key: 'fly.region', value: '' })
  t.equal(await config.get(serviceDb, 'fly.region'), '', 'an empty text is a value')
  t.match(await config.list(serviceDb), {
    settings: [{ key: 'fly.region', description: 'where', encrypted: false }],
    next: null,
  })
  await config.set(serviceDb, { key: 'fly.region', value: 'ams', description: null })
  t.match((await config.list(serviceDb)).settings, [{ value: 'ams', description: null }])
  t.strictSame(await config.delete(serviceDb, 'fly.region'), { outcome: 'deleted' })
  t.strictSame(await config.delete(serviceDb, 'fly.region'), { outcome: 'not_found' })
  const first = await config.listHistory(serviceDb, { key: 'fly.region', limit: 3 })
  t.match(first.changes, [
    { action: 'delete', old_value: 'ams', new_value: null },
    { action: 'update', old_value: '', new_value: 'ams', actor_role: /worker/ },
    { action: 'update', old_value: 'fra', new_value: '' },
  ])
  t.match(await config.listHistory(serviceDb, { key: 'fly.region', limit: 3, cursor: first.next }), {
    changes: [{ action: 'insert' }],
    next: null,
  })
  await t.rejects(config.set(serviceDb, { key: 'no key', value: 'x' }), { code: 'config_key_form' })
})

t.test('a secret setting is neither read nor overwritten, and its ciphertext is not returned', async (t) => {
  const ciphertext = sealed()
  await test.owner.query('insert into deployment_config (key, value, encrypted) values ($1, $2, true)', [
    'fly.token',
    ciphertext,
  ])
  const refused = { name: 'ConfigEncryptedError', code: 'config_encrypted' }
  await t.rejects(config.find(serviceDb, 'fly.token'), refused)
  await t.rejects(config.get(serviceDb, 'fly.token'), refused)
  await inTransaction(serviceDb, async (trx) => {
    await t.rejects(config.set(trx, { key: 'fly.token', value: 'plain' }), refused)
    await config.set(trx, { key: 'other', value: 'kept' })
  })
  t.equal(await config.get(serviceDb, 'other'), 'kept', 'the transaction was not aborted')
  const { settings } = await config.list(serviceDb)
  t.match(settings, [
    { key: 'fly.token', value: null, encrypted: true },
    { key: 'other', value: 'kept' },
  ])
  const { changes } = await config.listHistory(serviceDb, { key: 'fly.token' })
  t.notOk(inspect([settings, changes], { depth: null, maxStringLength: null }).includes(ciphertext))
  t.strictSame((await test.owner.query(`select value from deployment_config where key = 'fly.token'`)).rows, [
    { value: ciphertext },
  ])
  await t.rejects(config.set(serviceDb, { key: 'third', value: ciphertext }), {
    name: 'RuleError',
    code: 'sealed_value_not_declared',
  })
  t.strictSame(await config.delete(serviceDb, 'fly.token'), { outcome: 'deleted' })
})
