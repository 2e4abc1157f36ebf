import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import t from 'tap'
import { fromDriver } from '../../db/client/driver-errors.ts'
import { constraintCodes, errorCodes, LeoError } from '../../db/index.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

const db = await createMigratedDatabase(t)

t.test('db/client/error-codes.ts and private.error_codes are equal', async (t) => {
  const { rows } = await db.owner.query<{ name: string; code: string }>('select name, code from private.error_codes')
  t.strictSame(Object.fromEntries(rows.map(({ name, code }) => [name, code])), { ...errorCodes })
})

t.test('each code that a function raises is in the list', async (t) => {
  const raised = async (): Promise<string[]> => {
    const { rows } = await db.owner.query<{ code: string }>(`
      select distinct (regexp_matches(prosrc, 'errcode = ''([^'']+)''', 'g'))[1] as code
      from pg_proc where pronamespace::regnamespace::text in ('public', 'private') order by code`)
    return rows.map(({ code }) => code)
  }
  const known = new Set<string>(Object.values(errorCodes))
  t.ok((await raised()).length > 0)
  t.strictSame((await raised()).filter((code) => !known.has(code)), [])

  await db.owner.query('begin')
  await db.owner.query(`create function private.probe() returns void language plpgsql as
    $$ begin raise exception using errcode = 'LEO98'; end $$`)
  t.ok((await raised()).some((code) => !known.has(code)), 'a missing one is detected')
  await db.owner.query('rollback')
})

t.test('db/client/error-codes.ts lists exactly the constraints that a caller can violate', async (t) => {
  const inDatabase = async (): Promise<string[]> => {
    const { rows } = await db.owner.query<{ name: string }>(`
      select c.conname::text as name
      from pg_constraint as c
      left join pg_class as r on r.oid = c.conrelid
      where c.contype in ('c', 'f', 'p', 'u', 'x')
        and (c.connamespace = 'public'::regnamespace or r.oid = any (array(
          select oid from pg_class
          where relkind = 'r' and relnamespace = 'private'::regnamespace
            -- Tables that services write, directly or through a function.
            and (has_any_column_privilege('leo_worker', oid, 'insert, update') or relname = 'queues'))))
      union
      select i.indexrelid::regclass::text
      from pg_index as i
      join pg_class as r on r.oid = i.indrelid
      where i.indisunique and r.relnamespace = 'public'::regnamespace
        and not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
      order by name`)
    return rows.map(({ name }) => name).sort()
  }
  const known = Object.keys(constraintCodes).sort()
  t.strictSame(await inDatabase(), known)

  await db.owner.query('begin')
  await db.owner.query('alter table apps add constraint apps_probe_check check (true)')
  t.notSame(await inDatabase(), known, 'a further constraint is detected')
  await db.owner.query('rollback')
  await db.owner.query(`begin; create table private.probe (id integer constraint probe_pkey primary key);
    grant insert on private.probe to leo_worker`)
  t.ok((await inDatabase()).includes('probe_pkey'), 'and one of a table that services write')
  await db.owner.query('rollback')
})

const inserting = (sql: string) => db.owner.query(sql).then(() => undefined, (error: unknown) => fromDriver(error, 'possibly committed'))

t.test('each kind of error has a class, a code and a location, and does not quote the row', async (t) => {
  const ada = await db.signUp()
  const insert = `insert into apps (user_id, app_name) values ('${ada}', 'Diary of Ada')`
  await db.owner.query(insert)
  const taken = await inserting(insert)
  t.match(taken, { name: 'ConstraintError', code: 'app_name_taken', constraint: 'apps_user_id_app_name_key', table: 'apps', isRetrySafe: false })
  const stranger = await inserting(insert.replace(ada, randomUUID()))
  t.match(stranger, { name: 'ConstraintError', code: 'user_not_found', constraint: 'apps_user_id_fkey' })
  const blank = await inserting(insert.replace('Diary of Ada', '  '))
  t.match(blank, { name: 'ConstraintError', code: 'app_name_blank', constraint: 'apps_app_name_not_blank_check' })
  const missing = await inserting(insert.replace(`'Diary of Ada'`, 'null'))
  t.match(missing, { name: 'ConstraintError', code: 'constraint_violated', column: 'app_name', sqlstate: '23502' })
  const plain = await inserting(`insert into user_secrets (user_id, provider, encrypted_token) values ('${ada}', 'github', 'ghp_hunter2')`)
  t.match(plain, { name: 'ConstraintError', code: 'value_not_sealed' })
  const unknown = await inserting('select 1/0')
  t.match(unknown, { name: 'QueryError', code: 'query_failed', sqlstate: '22012' })
  const rule = await inserting(`select private.claim_cleanups('w', 0)`)
  t.match(rule, { name: 'RuleError', code: 'claim_out_of_range', sqlstate: 'LEO16' })
  for (const error of [taken, stranger, blank, missing, plain]) {
    t.ok(error instanceof LeoError)
    t.notMatch(inspect(error, { showHidden: true, depth: 9 }), /Diary|hunter2/)
  }
  t.match(inspect(await db.owner.query(insert).catch((error: unknown) => error)), /Diary/, 'the error of the driver does quote it')
})
