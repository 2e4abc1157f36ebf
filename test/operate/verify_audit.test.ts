import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import t from 'tap'
import type pg from 'pg'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { examineAudit } from '../../scripts/operate/audit.ts'
import type { Head } from '../../scripts/operate/audit.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { sealed } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db

const codes = async (client: pg.Client, head?: Head): Promise<string[]> =>
  [...new Set((await examineAudit(client, head ? { head } : {})).findings.map(({ code }) => code))].sort()

const empty = await examineAudit(owner)
await owner.query(`insert into deployment_config (key, value) values ('a', '1'), ('b', '1'), ('gone', '1'), ('token', 'in plain')`)
await owner.query(`update deployment_config set value = '2' where key in ('a', 'b')`)
await owner.query(`update deployment_config set value = $1, encrypted = true where key = 'token'`, [sealed()])
await owner.query(`update deployment_config set value = $1 where key = 'token'`, [sealed()])
await owner.query(`delete from deployment_config where key = 'gone'`)
const { rows: ids } = await owner.query<{ id: string }>('select id from deployment_config_history order by id')
const [first, second, , token] = ids.map(({ id }) => id)
const last = ids.at(-1)!.id
const { head } = await examineAudit(owner)

t.test('an empty history is whole and has no head', async (t) => {
  t.strictSame(empty, { entries: 0, head: undefined, findings: [] })
})

t.test('what the triggers wrote is whole, with a head that later entries lean on', async (t) => {
  t.strictSame(await codes(owner), [])
  t.equal(head?.id, last)
  await owner.query(`insert into deployment_config (key, value) values ('c', '1')`)
  t.strictSame(await codes(owner, head), [], 'a head of before')
  t.strictSame(await codes(owner, { id: last, hash: 'f'.repeat(64) }), ['head_unknown'])
})

const history = 'update public.deployment_config_history set'
const without = (trigger: string, statement: string): string =>
  `alter table deployment_config disable trigger ${trigger}; ${statement}; alter table deployment_config enable trigger ${trigger}`
const swap = `
  update deployment_config_history set id = -1 where id = ${first};
  update deployment_config_history set id = ${first} where id = ${second};
  update deployment_config_history set id = ${second} where id = -1`
/** The chain from an entry on, computed again by whoever owns the database and knows how. */
const rehash = `
  do $$
  declare v_entry deployment_config_history; v_hash bytea := decode(repeat('00', 32), 'hex');
  begin
    for v_entry in select * from deployment_config_history order by id loop
      v_entry.previous_hash := v_hash;
      v_hash := private.hash_config_history(v_entry);
      update deployment_config_history set previous_hash = v_entry.previous_hash, hash = v_hash where id = v_entry.id;
    end loop;
    update private.audit_heads set hash = v_hash;
  end $$`

/** What the owner can do, and what shows it. */
const tamperings: Readonly<Record<string, { readonly by: string; readonly shows: readonly string[] }>> = {
  'a changed value': { by: `${history} new_value = 'x' where id = ${first}`, shows: ['value_changed'] },
  'a changed value with its digest': {
    by: `${history} new_value = 'x', new_digest = sha256(new_salt || 'x') where id = ${first}`,
    shows: ['change_unrecorded', 'entry_changed'],
  },
  'a changed role': { by: `${history} actor_role = 'x' where id = ${first}`, shows: ['entry_changed'] },
  'a changed person': { by: `${history} acting_user_id = gen_random_uuid() where id = ${first}`, shows: ['entry_changed'] },
  'a changed time': {
    by: `${history} changed_at = changed_at + interval '1 microsecond' where id = ${first}`,
    shows: ['entry_changed'],
  },
  'a changed key': { by: `${history} key = 'x' where id = ${last}`, shows: ['change_unrecorded', 'entry_changed', 'head_unknown'] },
  'a changed fingerprint': {
    by: `${history} new_digest = sha256('x') where key = 'token' and new_encrypted`,
    shows: ['change_unrecorded', 'entry_changed'],
  },
  'a changed hash': { by: `${history} hash = sha256('x') where id = ${first}`, shows: ['entry_changed', 'link_broken'] },
  'a changed entry with its hash': {
    by: `${history} actor_role = 'x' where id = ${first};
      update deployment_config_history as h set hash = private.hash_config_history(h) where id = ${first}`,
    shows: ['link_broken'],
  },
  'a removed entry': { by: `delete from deployment_config_history where id = ${second}`, shows: ['change_unrecorded', 'link_broken'] },
  'a removed first entry': {
    by: `delete from deployment_config_history where id = ${first}`,
    shows: ['change_unrecorded', 'link_broken'],
  },
  'a removed last entry': {
    by: `delete from deployment_config_history where id = (select max(id) from deployment_config_history)`,
    shows: ['change_unrecorded', 'end_cut_off'],
  },
  'everything removed': { by: 'truncate deployment_config_history', shows: ['change_unrecorded', 'end_cut_off', 'head_unknown'] },
  'an end cut off together with what the database knows of it, and the settings put back': {
    by: `${without('user', `delete from deployment_config where key = 'c'; insert into deployment_config (key, value) values ('gone', '1')`)};
      delete from deployment_config_history where id >= ${last};
      update private.audit_heads set hash = (select hash from deployment_config_history order by id desc limit 1)`,
    shows: ['head_unknown'],
  },
  'swapped entries': { by: swap, shows: ['entry_changed', 'link_broken'] },
  'an entry written by hand': {
    by: `insert into deployment_config_history (key, action, actor_role, previous_hash, hash)
      select 'b', 'redact', 'x', hash, sha256('x') from deployment_config_history order by id desc limit 1`,
    shows: ['end_cut_off', 'entry_changed', 'plaintext_left'],
  },
  'the whole chain written anew': {
    by: `${history} actor_role = 'x' where id = ${first}; ${rehash}`,
    shows: ['head_unknown'],
  },
  'a value taken away': { by: `${history} new_value = null, new_salt = null where id = ${first}`, shows: ['value_missing'] },
  'a value taken away as if redacted': {
    by: `${history} new_value = null, new_salt = null, redacted_at = now() where id = ${first}`,
    shows: ['redaction_unfounded'],
  },
  'a redaction taken back': {
    by: `${history} new_value = 'in plain', new_salt = 'x', redacted_at = null where id = ${token}`,
    shows: ['plaintext_left', 'value_changed'],
  },
  'a setting changed past the triggers': {
    by: without('user', `update deployment_config set value = 'x' where key = 'a'`),
    shows: ['change_unrecorded'],
  },
  'a setting deleted past the triggers': {
    by: without('user', `delete from deployment_config where key = 'a'`),
    shows: ['change_unrecorded'],
  },
  'a setting inserted past the triggers': {
    by: without('user', `insert into deployment_config (key, value) values ('smuggled', 'x')`),
    shows: ['change_unrecorded'],
  },
  'a setting changed past the triggers, and then again in their sight': {
    by: `${without('user', `update deployment_config set value = 'x' where key = 'a'`)};
      update deployment_config set value = '3' where key = 'a'`,
    shows: ['change_unrecorded'],
  },
  'a setting changed past the triggers, and then encrypted': {
    by: `${without('user', `update deployment_config set value = 'x' where key = 'a'`)};
      update deployment_config set value = '${sealed()}', encrypted = true where key = 'a'`,
    shows: ['change_unrecorded'],
  },
  'a sealed value changed past the triggers': {
    by: without('user', `update deployment_config set value = '${sealed()}' where key = 'token'`),
    shows: ['change_unrecorded'],
  },
  'the function that hashes replaced, to hide a changed entry': {
    by: `
      create or replace function private.hash_config_history(p_entry deployment_config_history) returns bytea
      language sql stable set search_path = pg_catalog, pg_temp as 'select p_entry.hash';
      ${history} actor_role = 'x' where id = ${first}`,
    shows: ['entry_changed'],
  },
}

for (const [title, { by, shows }] of Object.entries(tamperings)) {
  t.test(`shows: ${title}`, async (t) => {
    const broken = await createTampered(by)
    t.strictSame(broken, [...shows].sort())
  })
}

/** examineAudit has a transaction of its own, so the tampering is committed, and undone from copies. */
async function createTampered(by: string): Promise<string[]> {
  await owner.query(`
    create temp table kept_history as table deployment_config_history;
    create temp table kept_config as table deployment_config;
    create temp table kept_heads as table private.audit_heads;
    create temp table kept_function as
      select pg_get_functiondef('private.hash_config_history(deployment_config_history)'::regprocedure) as text`)
  try {
    await owner.query(by)
    return await codes(owner, head)
  } finally {
    const { rows } = await owner.query<{ text: string }>('select text from kept_function')
    await owner.query(`
      ${rows[0]!.text};
      alter table deployment_config disable trigger user;
      truncate deployment_config, deployment_config_history, private.audit_heads;
      insert into deployment_config select * from kept_config;
      insert into deployment_config_history select * from kept_history;
      insert into private.audit_heads select * from kept_heads;
      alter table deployment_config enable trigger user;
      drop table kept_history, kept_config, kept_heads, kept_function`)
  }
}

t.test('and once all is put back, nothing', async (t) => {
  t.strictSame(await codes(owner, head), [])
})

t.test('keys that were there before the history are found in it', async (t) => {
  const later = await createMigratedDatabase(t)
  const names = ['record_deployment_config_history', 'create_config_history_chain', 'create_deployment_config_history']
  const migrations = (await readMigrations()).filter(({ name }) => names.includes(name))
  for (const { down } of migrations.toReversed()) await later.owner.query(`begin; ${down}; commit`)
  await later.owner.query(`insert into deployment_config (key, value) values ('old', 'x')`)
  await later.owner.query(`insert into deployment_config (key, value, encrypted) values ('old_sealed', '${sealed()}', true)`)
  for (const { up } of migrations) await later.owner.query(`begin; ${up}; commit`)
  await later.owner.query(`update deployment_config set value = 'y' where key = 'old'`)
  const { rows } = await later.owner.query('select key, action, old_value, new_value from deployment_config_history order by id')
  t.strictSame(rows, [
    { key: 'old', action: 'found', old_value: null, new_value: 'x' },
    { key: 'old_sealed', action: 'found', old_value: null, new_value: null },
    { key: 'old', action: 'update', old_value: 'x', new_value: 'y' },
  ])
  t.strictSame(await codes(later.owner), [])
})

t.test('more entries than a page are read in order', async (t) => {
  await owner.query(`insert into deployment_config (key, value) select 'page_' || n, 'x' from generate_series(1, 1001) as n`)
  const report = await examineAudit(owner, head ? { head } : {})
  t.ok(report.entries > 1001)
  t.strictSame(report.findings, [])
})

t.test('the command prints the head, takes it, and exits with 1 when something shows', async (t) => {
  const run = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const command = [fromRoot('build', 'scripts', 'commands', 'verify-audit.js'), ...args]
    const env = { ...process.env, DATABASE_URL: db.target.dbmateUrl }
    return promisify(execFile)(process.execPath, command, { env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
  }
  const [whole, refused] = await Promise.all([run(`--head=${head?.id}:${head?.hash}`), run('--head=1:x')])
  t.equal(whole.code, 0, whole.stderr)
  t.match(refused, { code: 1, stdout: '' }, 'a head that is none')
  const printed = /^head=(\d+:[0-9a-f]{64})$/m.exec(whole.stdout)?.[1] ?? ''
  await owner.query(`${history} new_value = 'secret-looking' where id = ${first}`)
  const tampered = await run(`--head=${printed}`)
  t.match(tampered, { code: 1, stdout: /value_changed/ })
  t.notMatch(tampered.stdout, /head_unknown|^head=|secret-looking/m, 'no head of what is not whole, and no value')
})
