import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, service, user } from '../fixtures/database.ts'
import type { Persona } from '../fixtures/database.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertTenant, only } from '../fixtures/rows.ts'
import type { Row, Tenant } from '../fixtures/rows.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const own = await insertTenant(db)
// Connected elsewhere: a name that both had would lead to a row of one's own.
const other = await insertTenant(db, 'fly')
/** A superuser's connection: it can become anyone. */
const admin = await db.login(clusterAdmin().user)
const references = await readTenantReferences(db.owner)

interface Table {
  readonly name: string
  readonly columns: readonly string[]
}

async function readTables(client: pg.Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(`
    select format('%I.%I', nspname, relname) as name, array_agg(attname::text order by attnum) as columns
    from pg_class
    join pg_namespace on pg_namespace.oid = relnamespace
    join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
    where nspname in ('public', 'private') and relkind in ('r', 'p')
    group by nspname, relname
    order by 1`)
  return rows
}

function isTenantTable({ columns }: Table): boolean {
  return columns.includes('user_id')
}

interface Reference {
  readonly name: string
  readonly child: string
  readonly parent: string
  /** Pairs of the child's column and the parent's. */
  readonly columns: readonly (readonly [string, string])[]
}

/** The foreign keys between tables of this schema. */
async function readReferences(client: pg.Client): Promise<Reference[]> {
  const { rows } = await client.query<Reference>(`
    select conname as name,
           format('%I.%I', cn.nspname, c.relname) as child,
           format('%I.%I', pn.nspname, p.relname) as parent,
           (
             select json_agg(json_build_array(ca.attname, pa.attname))
             from unnest(conkey, confkey) as k (child_number, parent_number)
             join pg_attribute as ca on ca.attrelid = conrelid and ca.attnum = child_number
             join pg_attribute as pa on pa.attrelid = confrelid and pa.attnum = parent_number
           ) as columns
    from pg_constraint
    join pg_class as c on c.oid = conrelid
    join pg_namespace as cn on cn.oid = c.relnamespace
    join pg_class as p on p.oid = confrelid
    join pg_namespace as pn on pn.oid = p.relnamespace
    where contype = 'f' and cn.nspname in ('public', 'private') and pn.nspname in ('public', 'private')
    order by conname`)
  return rows
}

/** Those that lead to a row of a user. */
async function readTenantReferences(client: pg.Client): Promise<Reference[]> {
  const tenants = new Set((await readTables(client)).filter(isTenantTable).map(({ name }) => name))
  return (await readReferences(client)).filter(({ parent }) => tenants.has(parent))
}

/** References to a tenant's row that do not prove that both rows have the same owner. */
async function unprovenReferences(client: pg.Client): Promise<string[]> {
  return (await readTenantReferences(client))
    .filter(({ columns }) => !columns.some(([child, parent]) => child === 'user_id' && parent === 'user_id'))
    .map(({ name }) => name)
}

async function rowOf(client: pg.Client, table: string, userId: string): Promise<Row> {
  // What the database computes, nobody writes.
  const select = `
    select to_jsonb(t) - array(
      select attname::text from pg_attribute where attrelid = '${table}'::regclass and attgenerated <> ''
    ) as row
    from ${table} as t where user_id = $1`
  return only(await client.query<{ row: Row }>(select, [userId])).row
}

t.test('every reference to a row of a user carries the user', async (t) => {
  t.strictSame(await unprovenReferences(db.owner), [])
  t.ok(references.length >= 3, `${references.length} references`)
})

t.test('a reference that does not is noticed', async (t) => {
  const found = await rolledBack(db.owner, async () => {
    await db.owner.query(`
      create table forgotten (user_id uuid, app_id uuid constraint forgotten_app_id_fkey references apps);
      create table private.ownerless (app_id uuid constraint ownerless_app_id_fkey references apps)`)
    return unprovenReferences(db.owner)
  })
  t.strictSame(found, ['forgotten_app_id_fkey', 'ownerless_app_id_fkey'])
})

const personas: readonly (Persona | { readonly role: 'postgres' })[] = [
  user(own.userId),
  service,
  { role: 'leo_worker' },
  { role: 'postgres' },
]

// A table that refers to itself is crossed in its own test: here the row would be parent and child at once.
for (const reference of references.filter(({ child, parent }) => child !== parent)) {
  for (const persona of personas) {
    t.test(`${persona.role} cannot cross from user to user by ${reference.name}`, async (t) => {
      for (const [title, attempt] of Object.entries(await crossings(reference, persona))) {
        const within = await rolledBack(admin, () => attempt(own))
        const across = await rolledBack(admin, () => attempt(other))
        if (within === 'done') t.match(across, /^(23503|LEO06)$/, `${title}, which is done within one user`)
        else t.strictSame([within, across], ['42501', '42501'], `${title}, which is denied altogether`)
      }
    })
  }
}

/** Ways to point a row of `own` at the parent of a tenant; with `own` itself nothing crosses. */
async function crossings(
  { child, parent, columns }: Reference,
  persona: (typeof personas)[number],
): Promise<Readonly<Record<string, (tenant: Tenant) => Promise<string>>>> {
  const row = await rowOf(db.owner, child, own.userId)
  const become = () =>
    persona.role === 'postgres' ? admin.query('set local role postgres') : assume(admin, persona)
  const pointing = async ({ userId }: Tenant): Promise<Row> => {
    const target = await rowOf(admin, parent, userId)
    const others = columns.filter(([column]) => column !== 'user_id')
    return Object.fromEntries(others.map(([column, parentColumn]) => [column, target[parentColumn]]))
  }
  const write = async (statement: string, values: unknown[]): Promise<string> => {
    await become()
    const { code } = await outcomeOf(
      admin.query(statement, values).then(({ rowCount }) => {
        if (rowCount === 0) throw new Error('nothing was written')
      }),
    )
    return code
  }
  const updateChild = (changes: Row) => {
    const names = Object.keys(changes)
    const list = names.map((name) => `${name} = r.${name}`).join(', ')
    return write(
      `update ${child} as c set ${list} from jsonb_populate_record(null::${child}, $1) as r where c.user_id = $2`,
      [changes, own.userId],
    )
  }
  return {
    'a new row': async (tenant) => {
      const changes = await pointing(tenant)
      await admin.query(`delete from ${child} where user_id = $1`, [own.userId])
      const allowed = await writableColumns(child, persona.role)
      const names = Object.keys(row).filter((name) => allowed.length === 0 || allowed.includes(name))
      const list = names.map((name) => `"${name}"`).join(', ')
      return write(`insert into ${child} (${list}) select ${list} from jsonb_populate_record(null::${child}, $1)`, [
        { ...row, ...changes },
      ])
    },
    'a new reference': async (tenant) => updateChild(await pointing(tenant)),
    'a new owner of the row': (tenant) => updateChild({ user_id: tenant.userId }),
    'a new owner of what it points at': (tenant) =>
      write(`update ${parent} set user_id = $1 where user_id = $2`, [tenant.userId, own.userId]),
  }
}

/** The columns that the role may write when it inserts; none when it may not insert at all. */
async function writableColumns(table: string, role: string): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped
       and has_column_privilege($2, attrelid, attnum, 'insert')`,
    [table, role],
  )
  return rows.map(({ name }) => name)
}

/** What is left to clean up elsewhere outlives the user, by ids only, until it is done. */
const outliveTheUser = ['public.cleanup_outbox', 'public.supabase_project_places']

/** Where a text occurs in any row of the schema, but for those. */
async function tablesThatMention(client: pg.Client, texts: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const { name } of await readTables(client)) {
    if (outliveTheUser.includes(name)) continue
    const { rowCount } = await client.query(
      `select from ${name} as t where exists (select from unnest($1::text[]) as x where strpos(t::text, x) > 0)`,
      [texts],
    )
    if (rowCount) found.push(name)
  }
  return found
}

const everythingOf = async (client: pg.Client, { userId }: Tenant): Promise<Record<string, unknown[]>> => {
  const rows: Record<string, unknown[]> = {}
  for (const { name } of (await readTables(client)).filter(isTenantTable)) {
    rows[name] = (await client.query(`select * from ${name} as t where user_id = $1 order by t::text`, [userId])).rows
  }
  return rows
}

t.test('deleting a user erases everything of theirs and nothing of others', async (t) => {
  const gone = await insertTenant(db)
  await insertApp(db.owner, gone.userId, 'Without generations')
  for (const [table, rows] of Object.entries(await everythingOf(db.owner, gone))) {
    t.ok(rows.length > 0, `insertTenant() makes a row of ${table}`)
  }
  const traces = [gone.userId, gone.appId, gone.secretId]
  const before = await everythingOf(db.owner, other)

  const auth = await db.login('supabase_auth_admin')
  t.equal((await auth.query('delete from auth.users where id = $1', [gone.userId])).rowCount, 1)

  t.strictSame(await tablesThatMention(db.owner, traces), [])
  for (const [table, rows] of Object.entries(await everythingOf(db.owner, gone))) t.strictSame(rows, [], table)
  t.strictSame(await everythingOf(db.owner, other), before)
})

t.test('a table that keeps something of a deleted user is noticed', async (t) => {
  const gone = await insertTenant(db)
  const found = await rolledBack(db.owner, async () => {
    await db.owner.query(`create table kept (id int, note text)`)
    await db.owner.query('insert into kept values (1, $1)', [`belongs to ${gone.userId}`])
    await db.owner.query('delete from auth.users where id = $1', [gone.userId])
    return tablesThatMention(db.owner, [gone.userId])
  })
  t.strictSame(found, ['public.kept'])
})

t.test('a user in the middle of a generation is deleted too', async (t) => {
  const gone = await insertTenant(db)
  await db.owner.query(`update generation_requests set status = 'generating' where user_id = $1`, [gone.userId])
  const auth = await db.login('supabase_auth_admin')
  await auth.query('delete from auth.users where id = $1', [gone.userId])
  t.strictSame(await tablesThatMention(db.owner, [gone.userId]), [])
})
