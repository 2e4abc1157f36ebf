import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { promisify } from 'node:util'
import { test } from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { examineRoles, type Role } from '../../scripts/operate/doctor/roles.ts'
import { formatReport } from '../../scripts/operate/doctor/format-text.ts'
import { examine, exitCode, type Report } from '../../scripts/operate/doctor/doctor.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import { insertApp, insertLease, insertRequest } from '../fixtures/rows.ts'
import { clusterAdmin, loginTo, logins } from '../fixtures/server.ts'
import { until } from '../fixtures/until.ts'

/** Each finding as `check: code subject`, sorted. */
const found = ({ checks }: Report): string[] =>
  checks.flatMap(({ name, findings }) => findings.map(({ code, subject }) => `${name}: ${code} ${subject}`)).sort()

const codesOf = ({ checks }: Report): string[] =>
  checks.flatMap(({ findings }) => findings.map(({ code }) => code))

const remedies = ({ checks }: Report, ...names: string[]): string[] =>
  checks
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .flatMap(({ findings }) => findings.map(({ remedy }) => remedy))

/** The test server has autovacuum off, which the doctor rightly finds. */
const expectedOnTestServer = ['autovacuum: autovacuum_off the server']

test('doctor reports only autovacuum in a migrated database', async (t) => {
  const db = await createMigratedDatabase(t)
  const report = await examine(db.target)
  t.strictSame(found(report), expectedOnTestServer)
  t.equal(report.status, 'warn')
  t.equal(exitCode(report), 1)
  t.equal(exitCode({ ...report, status: 'note' }), 0)
})

const schemaFaults = `
  alter table apps add constraint apps_app_name_short_check check (char_length(app_name) < 100) not valid;
  alter table apps drop constraint apps_app_name_not_blank_check;
  alter table generation_requests disable trigger _100_enqueue;
  alter table apps disable row level security;
  alter table user_secrets no force row level security;

  create policy "see ""all""" on generation_requests for select to authenticated using (true);
  drop policy delete_own on user_secrets;
  alter policy select_own on apps using (user_id is not null);

  create function public.stranger() returns trigger language plpgsql as 'begin return new; end';
  create trigger stranger after insert on apps for each row execute function public.stranger();
  create rule stranger as on delete to user_secrets do instead nothing;
  drop trigger _100_touch_updated_at on user_secrets;
  alter function private.tg__touch_updated_at() security definer;
  drop index apps_user_id_created_at_id_idx;
  alter table private.generation_leases drop constraint generation_leases_pkey;

  grant select on user_secrets to anon;
  grant select (encrypted_token) on user_secrets to authenticated;
  grant update on apps to service_role with grant option;
  grant truncate on iteration_snapshots to authenticated with grant option;
  grant usage on type sealed_secret to anon;
  grant select on private.error_codes to test_api;
  revoke delete on apps from authenticated;
  revoke update (status) on generation_requests from authenticated;
  revoke trigger on apps from postgres;
  grant execute on function private.tg__refuse_change() to public;
  alter default privileges in schema public grant select on tables to anon;
  alter default privileges grant execute on functions to public;

  create table public."stranger\u001b[31m" (id int);
  select setval('generation_requests_id_seq', 2000000000);
`

test('doctor reports each schema fault, and the SQL of its remedies repairs those that have one', async (t) => {
  const db = await createMigratedDatabase(t)
  const userId = await db.signUp()
  const twins = [await insertApp(db.owner, userId), await insertApp(db.owner, userId)]
  const twinIndex = 'create unique index concurrently apps_twins_key on apps (user_id)'
  await t.rejects(db.owner.query(twinIndex), { code: '23505' })
  await db.owner.query(schemaFaults)
  await withClient(clusterAdmin(db.name), (admin) =>
    admin.query('alter function private.tg__refuse_change() owner to service_role'),
  )

  const report = await examine(db.target)
  t.strictSame(
    found(report),
    [
      ...expectedOnTestServer,
      'default privileges: privilege_extra DEFAULT IN SCHEMA public ON TABLES anon',
      'default privileges: privilege_extra DEFAULT ON FUNCTIONS PUBLIC',
      'definitions: check_extra public.apps constraint apps_app_name_short_check',
      'definitions: check_missing public.apps constraint apps_app_name_not_blank_check',
      'definitions: constraint_missing private.generation_leases constraint generation_leases_pkey',
      'definitions: function_differs private.tg__touch_updated_at()',
      'definitions: index_missing public.apps_user_id_created_at_id_idx',
      'definitions: rule_extra public.user_secrets rule stranger',
      'definitions: trigger_extra public.apps trigger stranger',
      'definitions: trigger_missing public.user_secrets trigger _100_touch_updated_at',
      'disabled triggers: trigger_disabled public.generation_requests _100_enqueue',
      'invalid indexes: index_invalid public.apps_twins_key',
      'other objects: object_unknown public.stranger()',
      'other objects: object_unknown public."stranger\u001b[31m"',
      'owners: owner_differs private.tg__refuse_change()',
      'policies: policy_differs public.apps policy select_own',
      'policies: policy_extra public.generation_requests policy see "all"',
      'policies: policy_missing public.user_secrets policy delete_own',
      'privileges: privilege_extra FUNCTION private.tg__refuse_change() PUBLIC',
      'privileges: privilege_extra TABLE private.error_codes test_api',
      'privileges: privilege_extra TABLE public.apps service_role',
      'privileges: privilege_extra TABLE public.iteration_snapshots authenticated',
      'privileges: privilege_extra TABLE public.user_secrets anon',
      'privileges: privilege_extra TABLE public.user_secrets authenticated',
      'privileges: privilege_extra TYPE public.sealed_secret anon',
      'privileges: privilege_missing TABLE public.apps authenticated',
      'privileges: privilege_missing TABLE public.apps postgres',
      'privileges: privilege_missing TABLE public.generation_requests authenticated',
      'row security: row_security_not_forced public.user_secrets',
      'row security: row_security_off public.apps',
      'sequences: sequence_near_its_end public.generation_requests_id_seq',
      'unvalidated constraints: constraint_not_validated public.apps apps_app_name_short_check',
    ].sort(),
  )
  t.equal(exitCode(report), 2)
  t.notMatch(formatReport(report, false), /\u001b/, 'control characters in object names are escaped')

  await db.owner.query('delete from apps where id = $1', [twins[0]])
  for (const remedy of remedies(report).filter((sql) => sql.endsWith(';'))) await db.owner.query(remedy)

  t.strictSame(found(await examine(db.target)), [
    ...expectedOnTestServer,
    'definitions: check_extra public.apps constraint apps_app_name_short_check',
    'definitions: check_missing public.apps constraint apps_app_name_not_blank_check',
    'definitions: comment_missing comment on index public.apps_user_id_created_at_id_idx',
    'definitions: function_differs private.tg__touch_updated_at()',
    'definitions: index_extra public.apps_twins_key',
    'other objects: object_unknown public."stranger\u001b[31m"',
    'other objects: object_unknown public.stranger()',
    'sequences: sequence_near_its_end public.generation_requests_id_seq',
  ])
})

test('doctor reports faults of sessions, queue and storage, and the SQL of its remedies repairs the queue', async (t) => {
  const db = await createMigratedDatabase(t)
  const userId = await db.signUp()
  const appId = await insertApp(db.owner, userId)
  const request = (columns = {}) => insertRequest(db.owner, userId, appId, columns)
  await request({ queue_at: new Date(Date.now() - 7200_000) })
  const expiredLease = await request({ status: 'generating', attempt: 1 })
  const leaseOfQueued = await request()
  const activeLease = await request({ status: 'generating', attempt: 1 })
  for (const id of [expiredLease, leaseOfQueued, activeLease]) await insertLease(db.owner, userId, id)
  const extendLease = `update private.generation_leases set expires_at = 'infinity' where generation_request_id = $1`
  await db.owner.query(extendLease, [activeLease])
  const withoutLease = await request({ status: 'generating' })
  await db.owner.query(`
    insert into deployment_config (key, value) select 'key.' || i, repeat('x', 1000) from generate_series(1, 400) as i;
    delete from deployment_config where key > 'key.1';
  `)
  await db.owner.query('analyze deployment_config')
  await db.owner.query('alter table apps set (autovacuum_enabled = false)')
  await db.owner.query('select pg_stat_force_next_flush()')

  const [idle, blocked, busy] = [await db.login('postgres'), await db.login('postgres'), await db.login('postgres')]
  await idle.query('begin; lock table iteration_snapshots in row exclusive mode')
  const waiting = blocked.query('begin; lock table iteration_snapshots in share mode').catch(() => undefined)
  const sleeping = busy.query(`select pg_sleep(600), 'a secret'`).catch(() => undefined)
  const waitingSessions = `select from pg_stat_activity
    where datname = current_database() and (wait_event = 'PgSleep' or wait_event_type = 'Lock')`
  await until('one session waits for a lock and one runs pg_sleep', async () => {
    const { rowCount } = await db.owner.query(waitingSessions)
    return rowCount === 2
  })
  const pids = await db.owner.query<{ pid: number; wait: string }>(
    `select pid, coalesce(wait_event_type, '') as wait from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() order by backend_start`,
  )
  const [idlePid, blockedPid, busyPid] = pids.rows.map(({ pid }) => pid)
  const slot = `doctor_${randomBytes(4).toString('hex')}`
  await db.owner.query('select pg_create_physical_replication_slot($1, true)', [slot])

  const never = 1e12
  const limits = {
    connectionShare: [0, never],
    transaction: [0, never],
    idleInTransaction: [0, never],
    lockWait: [0, never],
    retainedWal: [0, never],
    xidAge: [0, never],
    deadTuples: 50,
    unusedBytes: 1,
  } as const
  const report = await examine(db.target, { limits }).finally(() =>
    db.owner.query('select pg_drop_replication_slot($1)', [slot]),
  )
  // Compared separately below: it lists every table.
  const checksOfAge = ['wraparound']
  t.strictSame(
    found({ ...report, checks: report.checks.filter(({ name }) => !checksOfAge.includes(name)) }),
    [
      ...expectedOnTestServer,
      'autovacuum: autovacuum_off public.apps',
      'blocked sessions: session_blocked ' + blockedPid,
      'connections: connections_used_up max_connections',
      'dead rows: rows_dead private.audit_heads',
      'dead rows: rows_dead public.deployment_config',
      'dead rows: table_never_analysed public.deployment_config_history',
      'definitions: table_differs public.apps options',
      `generations without a lease: generation_without_lease ${withoutLease}`,
      `idle in transaction: transaction_idle ${idlePid}`,
      `leases: lease_expired ${expiredLease}`,
      `leases: lease_stale ${leaseOfQueued}`,
      `long transactions: transaction_long ${blockedPid}`,
      `long transactions: transaction_long ${busyPid}`,
      'queue: queue_late public.generation_requests',
      `replication slots: slot_retains_wal ${slot}`,
      'unused space: space_unused public.deployment_config',
    ].sort(),
  )
  t.match(found(report), new Set([`wraparound: xids_old database ${db.name}`, 'wraparound: xids_old public.apps']))
  t.notMatch(JSON.stringify(report), /secret'/, 'the report contains no query text')

  const repairedChecks = ['leases', 'generations without a lease', 'blocked sessions', 'long transactions']
  for (const remedy of remedies(report, ...repairedChecks)) await db.owner.query(remedy)
  await Promise.all([waiting, sleeping])
  const { rows } = await db.owner.query('select id, status from generation_requests where id = any ($1) order by id', [
    [expiredLease, leaseOfQueued, activeLease, withoutLease],
  ])
  t.strictSame(rows, [
    { id: expiredLease, status: 'queued' },
    { id: leaseOfQueued, status: 'queued' },
    { id: activeLease, status: 'generating' },
    { id: withoutLease, status: 'queued' },
  ])
  const left = await db.owner.query('select generation_request_id as id from private.generation_leases')
  t.strictSame(left.rows, [{ id: activeLease }])
})

test('the doctor looks at a database that is not migrated, or only in part', async (t) => {
  const db = await createEmptyDatabase(t, 'until_2026')
  const codes = async () => codesOf(await examine(db.target))
  t.notOk((await codes()).includes('not_examined'))
  await migrate(db.target, { upTo: '20261122100300' })
  const codesAfterPart = await codes()
  t.notOk(codesAfterPart.includes('not_examined'))
  const expected = ['migration_pending', 'row_security_off', 'not_there_yet', 'privilege_extra']
  for (const code of expected) t.ok(codesAfterPart.includes(code), code)
})

test('doctor reports a check for which the login lacks privileges as not_examined', async (t) => {
  const db = await createMigratedDatabase(t)
  const report = await examine(loginTo(db.name, logins.leo_worker), { groups: ['queue'] })
  t.strictSame(found(report), [
    'generations without a lease: not_examined 42501',
    'leases: not_examined 42501',
    'queue: not_examined 42501',
  ])
})

test('the doctor as a command', async (t) => {
  const db = await createMigratedDatabase(t)
  await db.owner.query('grant select on apps to anon')
  const command = [fromRoot('build', 'scripts', 'leo.js'), 'doctor', '--json']
  const env = { ...process.env, DATABASE_URL: db.target.dbmateUrl }
  const ended = await promisify(execFile)(process.execPath, command, { env }).catch((error: unknown) => error)
  t.match(ended, { code: 2 }, 'exits with 2 for something bad')
  t.match(JSON.parse((ended as { stdout: string }).stdout), { status: 'bad', checks: Array })
  await t.rejects(examine({ ...db.target, port: 6543 }), { name: 'Failure' }, 'refuses a transaction pooler')
})

const role = (name: string, memberOf: string[] = [], more: Partial<Role> = {}): Role => ({
  name,
  login: false,
  inherit: true,
  powers: [],
  memberOf,
  has: [],
  mayBecome: [],
  ...more,
})

const correctRoles: readonly Role[] = [
  role('anon', [], { has: ['anon'], mayBecome: ['anon'] }),
  role('authenticated', [], { has: ['authenticated'], mayBecome: ['authenticated'] }),
  role('service_role', [], { powers: ['bypassrls'] }),
  role('authenticator', ['anon', 'authenticated', 'service_role'], { login: true }),
  role('postgres', ['anon', 'authenticated', 'service_role', 'leo_worker'], { login: true, powers: ['bypassrls'] }),
  role('leo_api', ['authenticated'], { inherit: false, mayBecome: ['authenticated'] }),
  role('leo_worker', ['service_role'], { has: ['service_role'], mayBecome: ['service_role'] }),
  role('api_1', ['leo_api'], { login: true, mayBecome: ['authenticated'] }),
  role('worker_1', ['leo_worker'], { login: true, has: ['service_role'], mayBecome: ['service_role'] }),
]

const faultyRoles: ReadonlyArray<[title: string, faulty: Role, codes: string]> = [
  ['leo_api inherits', role('leo_api', ['authenticated'], { has: ['authenticated'] }), 'role_inherits'],
  [
    'leo_api may also SET ROLE to service_role',
    role('leo_api', ['authenticated', 'service_role'], { inherit: false }),
    'role_is_member service_role_has_member',
  ],
  ['leo_api is not a member of authenticated', role('leo_api', [], { inherit: false }), 'role_is_no_member'],
  ['leo_api logs in', role('leo_api', ['authenticated'], { inherit: false, login: true }), 'role_may_log_in'],
  [
    'leo_worker has BYPASSRLS',
    role('leo_worker', ['service_role'], { has: ['service_role'], powers: ['bypassrls'] }),
    'role_has_powers',
  ],
  ['leo_worker does not inherit', role('leo_worker', ['service_role']), 'role_does_not_inherit'],
  [
    'a login for leo_api is a member of another role',
    role('api_1', ['leo_api', 'pg_read_all_data']),
    'login_is_member',
  ],
  ['a login for leo_api inherits', role('api_1', ['leo_api'], { has: ['authenticated'] }), 'login_inherits'],
  ['a login for leo_api has powers', role('api_1', ['leo_api'], { powers: ['createrole'] }), 'role_has_powers'],
  ['a login for leo_worker is NOINHERIT', role('worker_1', ['leo_worker']), 'login_does_not_inherit'],
  ['a stranger acts as service_role', role('stranger', ['service_role']), 'service_role_has_member'],
  [
    'anon acts as service_role',
    role('anon', ['service_role'], { mayBecome: ['anon', 'service_role'] }),
    'service_role_has_member api_role_is_member',
  ],
]

test('examineRoles reports each faulty role', async (t) => {
  const names = { api: 'leo_api', worker: 'leo_worker' }
  t.strictSame(examineRoles(correctRoles, names), [])
  for (const [title, faulty, codes] of faultyRoles) {
    const roles = [...correctRoles.filter(({ name }) => name !== faulty.name), faulty]
    t.equal(examineRoles(roles, names).map(({ code }) => code).join(' '), codes, title)
  }
  t.match(examineRoles([], names), [{ code: 'role_missing', severity: 'bad' }, { code: 'role_missing' }])
  t.match(examineRoles([], names, true), [{ code: 'role_missing', severity: 'note' }, { code: 'role_missing' }])
})

test('doctor reads roles and memberships from the catalog', async (t) => {
  const db = await createMigratedDatabase(t)
  const suffix = randomBytes(4).toString('hex')
  const [api, worker, login] = [`doctor_api_${suffix}`, `doctor_worker_${suffix}`, `doctor_login_${suffix}`]
  const admin = (sql: string) => withClient(clusterAdmin(), (client) => client.query(sql))
  t.teardown(() => admin(`drop role ${api}, ${worker}, ${login}`))
  await admin(`
    create role ${api} nologin inherit in role authenticated;
    create role ${worker} nologin createdb;
    create role ${login} login noinherit in role ${worker}`)
  const report = await examine(db.target, { groups: ['roles'], roles: { api, worker } })
  t.strictSame(codesOf(report), [
    'role_inherits',
    'role_has_powers',
    'role_is_no_member',
    'login_does_not_inherit',
    'service_role_has_member',
  ])
})
