import t from 'tap'
import { errorCodes } from '../db/index.ts'
import { createTestDatabase } from './fixtures/database.ts'

const db = await createTestDatabase(t)

t.test('db/errors.ts and private.error_codes are the same list', async (t) => {
  const { rows } = await db.owner.query<{ name: string; code: string }>('select name, code from private.error_codes')
  t.strictSame(Object.fromEntries(rows.map(({ name, code }) => [name, code])), { ...errorCodes })
})

t.test('every code that a function raises is in the list', async (t) => {
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
  t.ok((await raised()).some((code) => !known.has(code)), 'and one that is not is noticed')
  await db.owner.query('rollback')
})
