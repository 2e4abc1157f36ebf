import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import t from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { allDirt, fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { examineBooks, readBalances } from '../../scripts/upgrade/books.ts'
import { column } from '../fixtures/column.ts'
import {
  contractWithoutDbmate, createLegacyDatabase, expand, insertRequest, insertSnapshot, readOriginals, readQuarantined, readRequest, signUp, readSnapshot,
} from './fixtures/legacy.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

const codes = async (client: pg.Client): Promise<string[]> =>
  (await examineBooks(client)).filter(({ isKnown }) => !isKnown).map(({ code, object }) => `${code} ${object}`).sort()

const balanceOf = async (client: pg.Client, table: string) =>
  (await readBalances(client)).find((balance) => balance.table === table)

t.test('the row counts of a fresh database are 0, and they reconcile after inserts', async (t) => {
  const db = await createMigratedDatabase(t)
  const id = await db.signUp()
  await db.owner.query(`insert into apps (user_id, app_name) values ($1, 'Todo')`, [id])
  t.strictSame(await codes(db.owner), [])
  t.match(await balanceOf(db.owner, 'generation_requests'), { counted: 0, migrated: 0, lastId: 0 })
})

t.test('a live database with dirty data', async (t) => {
  const live = await createLegacyDatabase(t)
  const { owner } = live
  await fillLegacyDatabase(owner, { seed: 5, users: 30, requests: 400, snapshots: 1200, dirt: allDirt(0.03) })
  const erased = await signUp(owner)
  const kept = await signUp(owner)
  const ids = {
    erased: await insertRequest(owner, { user_id: erased }),
    erasedDirty: await insertRequest(owner, { user_id: erased, created_at: null }),
    deleted: await insertRequest(owner, { user_id: kept }),
    rewritten: await insertRequest(owner, { user_id: kept }),
    mended: await insertRequest(owner, { user_id: kept, created_at: null }),
    ownerless: await insertRequest(owner, { user_id: null, app_name: 'Lost' }),
    blank: await insertRequest(owner, { user_id: null, app_id: null, app_name: ' ' }),
  }
  const saved = await insertSnapshot(owner, ids.ownerless)
  await insertRequest(owner, { user_id: kept, app_name: 'Lost' })
  const early = await owner.query<{ id: number }>(`select nextval('public.generation_requests_id_seq')::integer as id`)
  await insertRequest(owner, { user_id: kept })
  await expand(live)

  // Writes of the previous schema between expand and contract.
  await insertRequest(owner, { id: early.rows[0]!.id, user_id: kept })
  await owner.query(`update public.generation_requests set prompt = prompt || '!', updated_at = now() where id = $1`, [ids.rewritten])
  await owner.query('delete from public.generation_requests where id = $1', [ids.deleted])
  await backfill(owner)
  await owner.query(`update public.generation_requests set created_at = created_at - interval '1 day' where id = $1`, [ids.mended])
  await contractWithoutDbmate(live)
  await owner.query('delete from auth.users where id = $1', [erased])

  await t.test('reconciles after inserts, updates and deletes during the upgrade', async (t) => {
    const findings = await examineBooks(owner, { deep: true })
    t.strictSame(findings.map(({ code, isKnown }) => [code, isKnown]), [['balance', true], ['balance', true], ['samples', true]])
    t.match(findings[0]?.what, /^generation_requests up to id \d+: \d+ before = /)
    const balance = await balanceOf(owner, 'generation_requests')
    t.match(balance, { arrived: 1, deleted: 3, rewritten: 2, inBoth: 0 })
    t.ok(balance!.quarantined > 0 && balance!.mended > 0)
    t.equal(balance!.counted! + 1, balance!.migrated + balance!.quarantined + 3)
  })

  await t.test('reconciles after a repaired row is restored from quarantine with its snapshots', async (t) => {
    t.match(await outcomeOf(owner.query(`select private.put_back('generation_requests', $1)`, [ids.ownerless])), { code: '23502' })
    t.match(await readQuarantined(owner, 'generation_requests', ids.ownerless), { reason: 'user_id is null' })
    await owner.query(
      `update private.quarantine set content = content || jsonb_build_object('user_id', $2::uuid)
       where table_name = 'generation_requests' and row_id = any ($1)`,
      [[ids.ownerless, ids.blank], kept],
    )
    t.strictSame(await column(owner, `select private.put_back('generation_requests', $1)`, [ids.ownerless]), [2])
    t.match(await readRequest(owner, ids.ownerless), { user_id: kept, app_name: 'Lost', prompt: 'a list of books' })
    t.match(await readSnapshot(owner, saved), { user_id: kept, generation_request_id: ids.ownerless })
    t.equal(await readQuarantined(owner, 'iteration_snapshots', saved), undefined)
    t.strictSame(await column(owner, `select private.put_back('generation_requests', $1)`, [ids.ownerless]), [0], 'it is no longer in quarantine')
    t.strictSame(await column(owner, `select private.put_back('generation_requests', $1)`, [ids.blank]), [1])
    t.strictSame(await codes(owner), [])
    t.match(await balanceOf(owner, 'generation_requests'), { repaired: 2 })
  })

  await t.test('logs the values that change when a row is restored from quarantine', async (t) => {
    t.strictSame(await readOriginals(owner, 'apps', ids.ownerless), { app_name: 'Lost' })
    t.strictSame(await readOriginals(owner, 'generation_requests', ids.ownerless), {})
    t.strictSame(await readOriginals(owner, 'generation_requests', ids.blank), { app_id: null, app_name: ' ' })
  })

  await t.test('reconciles after a user with rows in quarantine is deleted', async (t) => {
    const [user] = await column<string>(owner, 'select user_id from private.quarantine where user_id is not null limit 1')
    t.ok(user)
    await owner.query('delete from auth.users where id = $1', [user])
    t.strictSame(await codes(owner), [])
  })

  /** Changes that no trigger recorded. Each is rolled back. */
  const unrecorded: Record<string, [sql: string, ...codes: string[]]> = {
    'a deleted row': [
      'delete from public.iteration_snapshots where id = (select max(id) from public.iteration_snapshots)',
      'rows_missing public.iteration_snapshots',
    ],
    'a row that is also in quarantine': [
      `insert into private.quarantine (table_name, row_id, reason, content)
       select 'generation_requests', id, 'a test', to_jsonb(r) from public.generation_requests as r limit 1`,
      'rows_too_many public.generation_requests',
    ],
    'a deleted row and another one that is also in quarantine': [
      `with gone as (delete from public.generation_requests where id = (select max(id) from public.generation_requests where id <= (
         select last_id from private.upgrade_counts where table_name = 'generation_requests')))
       insert into private.quarantine (table_name, row_id, reason, content)
       select 'generation_requests', min(id), 'a test', '{}' from public.generation_requests`,
      'rows_in_both public.generation_requests',
    ],
    'a row deleted from quarantine': [
      `delete from private.quarantine where id = (select min(id) from private.quarantine where table_name = 'iteration_snapshots')`,
      'rows_missing public.iteration_snapshots',
    ],
    'another user_id': [
      `update public.generation_requests set user_id = '${randomUUID()}' where id = ${ids.rewritten}`,
      'values_changed public.generation_requests',
    ],
    'another created_at': [
      `update public.generation_requests set created_at = created_at + interval '1 microsecond' where id = ${ids.rewritten}`,
      'values_changed public.generation_requests',
    ],
    'another value in the content of a quarantined row': [
      `update private.quarantine set content = content || '{"iteration_number": 77}' where id = (
         select max(id) from private.quarantine where table_name = 'iteration_snapshots')`,
      'values_changed public.iteration_snapshots',
    ],
    'an entry deleted from the log': [
      `delete from private.migration_log where column_name = 'created_at' and row_id = ${ids.mended}`,
      'mended_unlogged public.generation_requests',
    ],
  }
  const updates: Record<string, readonly string[]> = {
    generation_requests: [
      'app_id = gen_random_uuid()', `app_name = 'Found'`, `prompt = prompt || '!'`,
      `generation_type = case generation_type when 'new' then 'resume' else 'new' end::generation_type`,
      `mode = case mode when 'autonomous' then 'single-shot' else 'autonomous' end::generation_mode`,
    ],
    iteration_snapshots: [
      'generation_request_id = generation_request_id + 1', 'iteration_number = iteration_number + 100',
      `snapshot_type = case snapshot_type when 'manual' then 'automatic' else 'manual' end::snapshot_type`,
      `files_snapshot = files_snapshot || ' '`, `prompt_used = prompt_used || '!'`, `"timestamp" = "timestamp" + interval '1 second'`,
    ],
  }
  for (const [table, changes] of Object.entries(updates)) {
    for (const change of changes) {
      // A row of the legacy data whose files are not in the sample.
      const row = `select max(id) from public.${table} where id <= 300 and id not in (select row_id from private.upgrade_samples)`
      unrecorded[change] = [`update public.${table} set ${change} where id = (${row})`, `values_changed public.${table}`]
    }
  }
  for (const [what, [sql, ...expected]] of Object.entries(unrecorded)) {
    await t.test(`reports an unrecorded change: ${what}`, async (t) => {
      await owner.query('begin')
      // Without triggers and foreign keys, as a restore or a superuser may change rows.
      await owner.query(`alter table public.generation_requests disable trigger user;
        alter table public.iteration_snapshots disable trigger user; alter table private.quarantine disable trigger user;
        alter table public.iteration_snapshots drop constraint iteration_snapshots_user_id_generation_request_id_fkey;
        alter table public.generation_requests drop constraint generation_requests_user_id_app_id_fkey`)
      await owner.query(sql)
      t.strictSame(await codes(owner), expected)
      await owner.query('rollback')
    })
  }

  await t.test('reports files that have changed', async (t) => {
    const [id] = await column<number>(owner, 'select row_id from private.upgrade_samples join public.iteration_snapshots on id = row_id limit 1')
    await owner.query('begin')
    await owner.query(`alter table public.iteration_snapshots disable trigger user`)
    await owner.query(`update public.iteration_snapshots set files_snapshot = overlay(files_snapshot placing '#' from 1) where id = $1`, [id])
    t.strictSame(await codes(owner), [`files_changed public.iteration_snapshots ${id}`])
    await owner.query('rollback')
  })
})
