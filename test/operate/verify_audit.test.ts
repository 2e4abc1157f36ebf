import t from 'tap'
import type pg from 'pg'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { verifyAudit } from '../../scripts/operate/audit.ts'
import type { Head } from '../../scripts/operate/audit.ts'
import { runLeo } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { sealed } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db

const findingCodes = async (client: pg.Client, head?: Head): Promise<string[]> =>
  [...new Set((await verifyAudit(client, head ? { head } : {})).findings.map(({ code }) => code))].sort()

const empty = await verifyAudit(owner)
await owner.query(`insert into deployment_config (key, value) values ('a', '1'), ('b', '1'), ('gone', '1'), ('token', 'in plain')`)
await owner.query(`update deployment_config set value = '2' where key in ('a', 'b')`)
await owner.query(`update deployment_config set value = $1, encrypted = true where key = 'token'`, [sealed()])
await owner.query(`update deployment_config set value = $1 where key = 'token'`, [sealed()])
await owner.query(`delete from deployment_config where key = 'gone'`)
const { rows: ids } = await owner.query<{ id: string }>('select id from deployment_config_history order by id')
const [first, second, , token] = ids.map(({ id }) => id)
const last = ids.at(-1)!.id
const { head } = await verifyAudit(owner)

t.test('an empty history is valid and has no head', async (t) => {
  t.strictSame(empty, { entries: 0, head: undefined, findings: [] })
})

t.test('a history written by the triggers is valid, and an earlier head stays part of it', async (t) => {
  t.strictSame(await findingCodes(owner), [])
  t.equal(head?.id, last)
  await owner.query(`insert into deployment_config (key, value) values ('c', '1')`)
  t.strictSame(await findingCodes(owner, head), [], 'an earlier head is found')
  t.strictSame(await findingCodes(owner, { id: last, hash: 'f'.repeat(64) }), ['head_unknown'])
})

const history = 'update public.deployment_config_history set'
const without = (trigger: string, statement: string): string =>
  `alter table deployment_config disable trigger ${trigger}; ${statement}; alter table deployment_config enable trigger ${trigger}`
const swap = `
  update deployment_config_history set id = -1 where id = ${first};
  update deployment_config_history set id = ${first} where id = ${second};
  update deployment_config_history set id = ${second} where id = -1`
/** Recomputes the whole chain, as the owner of the database can. */
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

/** Manipulations that the owner of the database can make, and the codes of the expected findings. */
const manipulations: Readonly<Record<string, { readonly sql: string; readonly codes: readonly string[] }>> = {
  'a changed value': { sql: `${history} new_value = 'x' where id = ${first}`, codes: ['value_changed'] },
  'a changed value with its digest': {
    sql: `${history} new_value = 'x', new_digest = sha256(new_salt || 'x') where id = ${first}`,
    codes: ['change_unrecorded', 'entry_changed'],
  },
  'a changed role': { sql: `${history} actor_role = 'x' where id = ${first}`, codes: ['entry_changed'] },
  'a changed acting user': { sql: `${history} acting_user_id = gen_random_uuid() where id = ${first}`, codes: ['entry_changed'] },
  'a changed time': {
    sql: `${history} changed_at = changed_at + interval '1 microsecond' where id = ${first}`,
    codes: ['entry_changed'],
  },
  'a changed key': {
    sql: `${history} key = 'x' where id = ${last}`,
    codes: ['change_unrecorded', 'entry_changed', 'head_unknown'],
  },
  'a changed digest': {
    sql: `${history} new_digest = sha256('x') where key = 'token' and new_encrypted`,
    codes: ['change_unrecorded', 'entry_changed'],
  },
  'a changed hash': { sql: `${history} hash = sha256('x') where id = ${first}`, codes: ['entry_changed', 'link_broken'] },
  'a changed entry with its hash': {
    sql: `${history} actor_role = 'x' where id = ${first};
      update deployment_config_history as h set hash = private.hash_config_history(h) where id = ${first}`,
    codes: ['link_broken'],
  },
  'a removed entry': {
    sql: `delete from deployment_config_history where id = ${second}`,
    codes: ['change_unrecorded', 'link_broken'],
  },
  'a removed first entry': {
    sql: `delete from deployment_config_history where id = ${first}`,
    codes: ['change_unrecorded', 'link_broken'],
  },
  'a removed last entry': {
    sql: `delete from deployment_config_history where id = (select max(id) from deployment_config_history)`,
    codes: ['change_unrecorded', 'end_cut_off'],
  },
  'all entries removed': {
    sql: 'truncate deployment_config_history',
    codes: ['change_unrecorded', 'end_cut_off', 'head_unknown'],
  },
  'the last entries removed together with the recorded end, and the settings restored': {
    sql: `${without('user', `delete from deployment_config where key = 'c'; insert into deployment_config (key, value) values ('gone', '1')`)};
      delete from deployment_config_history where id >= ${last};
      update private.audit_heads set hash = (select hash from deployment_config_history order by id desc limit 1)`,
    codes: ['head_unknown'],
  },
  'swapped entries': { sql: swap, codes: ['entry_changed', 'link_broken'] },
  'an entry written by hand': {
    sql: `insert into deployment_config_history (key, action, actor_role, previous_hash, hash)
      select 'b', 'redact', 'x', hash, sha256('x') from deployment_config_history order by id desc limit 1`,
    codes: ['end_cut_off', 'entry_changed', 'plaintext_left'],
  },
  'the whole chain recomputed': {
    sql: `${history} actor_role = 'x' where id = ${first}; ${rehash}`,
    codes: ['head_unknown'],
  },
  'a removed value': { sql: `${history} new_value = null, new_salt = null where id = ${first}`, codes: ['value_missing'] },
  'a removed value marked as redacted': {
    sql: `${history} new_value = null, new_salt = null, redacted_at = now() where id = ${first}`,
    codes: ['redaction_unfounded'],
  },
  'a redaction undone': {
    sql: `${history} new_value = 'in plain', new_salt = 'x', redacted_at = null where id = ${token}`,
    codes: ['plaintext_left', 'value_changed'],
  },
  'a setting changed with triggers disabled': {
    sql: without('user', `update deployment_config set value = 'x' where key = 'a'`),
    codes: ['change_unrecorded'],
  },
  'a setting deleted with triggers disabled': {
    sql: without('user', `delete from deployment_config where key = 'a'`),
    codes: ['change_unrecorded'],
  },
  'a setting inserted with triggers disabled': {
    sql: without('user', `insert into deployment_config (key, value) values ('unrecorded', 'x')`),
    codes: ['change_unrecorded'],
  },
  'a setting changed with triggers disabled, and again with triggers enabled': {
    sql: `${without('user', `update deployment_config set value = 'x' where key = 'a'`)};
      update deployment_config set value = '3' where key = 'a'`,
    codes: ['change_unrecorded'],
  },
  'a setting changed with triggers disabled, and then encrypted': {
    sql: `${without('user', `update deployment_config set value = 'x' where key = 'a'`)};
      update deployment_config set value = '${sealed()}', encrypted = true where key = 'a'`,
    codes: ['change_unrecorded'],
  },
  'a sealed value changed with triggers disabled': {
    sql: without('user', `update deployment_config set value = '${sealed()}' where key = 'token'`),
    codes: ['change_unrecorded'],
  },
  'the hash function replaced to hide a changed entry': {
    sql: `
      create or replace function private.hash_config_history(p_entry deployment_config_history) returns bytea
      language sql stable set search_path = pg_catalog, pg_temp as 'select p_entry.hash';
      ${history} actor_role = 'x' where id = ${first}`,
    codes: ['entry_changed'],
  },
}

for (const [title, { sql, codes }] of Object.entries(manipulations)) {
  t.test(`finds ${title}`, async (t) => {
    t.strictSame(await codesAfter(sql), [...codes].sort())
  })
}

/** The manipulation is committed, because verifyAudit opens its own transaction. It is undone from copies of the tables. */
async function codesAfter(sql: string): Promise<string[]> {
  await owner.query(`
    create temp table kept_history as table deployment_config_history;
    create temp table kept_config as table deployment_config;
    create temp table kept_heads as table private.audit_heads;
    create temp table kept_function as
      select pg_get_functiondef('private.hash_config_history(deployment_config_history)'::regprocedure) as text`)
  try {
    await owner.query(sql)
    return await findingCodes(owner, head)
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

t.test('the restored history is valid', async (t) => {
  t.strictSame(await findingCodes(owner, head), [])
})

t.test('settings older than the history have an entry in it', async (t) => {
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
  t.strictSame(await findingCodes(later.owner), [])
})

t.test('a history of several pages is read in order', async (t) => {
  await owner.query(`insert into deployment_config (key, value) select 'page_' || n, 'x' from generate_series(1, 1001) as n`)
  const report = await verifyAudit(owner, head ? { head } : {})
  t.ok(report.entries > 1001)
  t.strictSame(report.findings, [])
})

t.test('the command prints the head, accepts it, and exits with 1 when there are findings', async (t) => {
  const run = (...args: string[]) => runLeo(db, 'verify-audit', args)
  const [valid, refused] = await Promise.all([run(`--head=${head?.id}:${head?.hash}`), run('--head=1:x')])
  t.equal(valid.code, 0, valid.stderr)
  t.match(refused, { code: 1, stdout: '' }, 'an invalid head is rejected')
  const printed = /^head=(\d+:[0-9a-f]{64})$/m.exec(valid.stdout)?.[1] ?? ''
  await owner.query(`${history} new_value = 'secret-looking' where id = ${first}`)
  const tampered = await run(`--head=${printed}`)
  t.match(tampered, { code: 1, stdout: /value_changed/ })
  t.notMatch(tampered.stdout, /head_unknown|^head=|secret-looking/m, 'an invalid history has no head, and no value is printed')
})
