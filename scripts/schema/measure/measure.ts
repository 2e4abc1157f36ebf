import { parse, type Node } from 'libpg-query'
import pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { directiveLine, fileName, type Migration } from '../../migrate/migrations.ts'

/** From the weakest to the strongest. */
export const lockModes = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const

export type LockMode = (typeof lockModes)[number]

export const strength = (mode: LockMode): number => lockModes.indexOf(mode)

/** What a statement did to tables that were there before its migration; tables go by schema and name. */
export interface StatementEffect {
  /** In the file, from 1. */
  readonly line: number
  /** On one line, without the comments before it, cut when it is long. */
  readonly sql: string
  /** Those that its transaction did not hold before, or only a weaker one. They last until the transaction ends. */
  readonly locks: readonly TableLock[]
  /** Tables that got a new file. */
  readonly rewrites: readonly string[]
  /** Tables that were read from the first row to the last. */
  readonly scans: readonly string[]
  /** Indexes that were built, or built anew. */
  readonly indexes: readonly BuiltIndex[]
  /** Tables in which rows were updated or deleted. */
  readonly writes: readonly string[]
  /**
   * Runs outside a transaction: then `locks` is what the manual says, and it waits for every older transaction. Of
   * anything but an index (`call`, `do`, `vacuum`) the locks are not known.
   */
  readonly isConcurrent: boolean
}

export interface TableLock {
  readonly table: string
  readonly mode: LockMode
}

export interface BuiltIndex {
  readonly name: string
  readonly table: string
}

/**
 * Runs a migration, statement by statement, and tells what each one did: measured, not parsed, so that what happens
 * inside `do $$` or a function is seen too. It stays applied, but is not recorded. The client must be alone in the
 * database. Tables with some rows give the better answer: on an empty one a look at the first row counts as a scan.
 *
 * @throws Failure when a statement fails; then nothing of the migration is left.
 */
export async function measureMigration(client: pg.Client, migration: Migration): Promise<StatementEffect[]> {
  const statements = await split(migration)
  const start = await look(client)
  const rows = await countRows(client, start)
  if (!migration.transaction) {
    const [statement] = statements
    if (!statement) return []
    await run(client, migration, statement)
    return [concurrentEffect(statement, start, await look(client))]
  }
  const effects: StatementEffect[] = []
  await client.query('begin')
  try {
    let before = await look(client)
    for (const statement of statements) {
      await run(client, migration, statement)
      const after = await look(client)
      effects.push(effect(statement, before, after, start, rows))
      before = after
    }
    await client.query('commit')
    return effects
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

// --- Its statements

interface Statement {
  readonly line: number
  readonly text: string
  readonly node: Node
}

async function split(migration: Migration): Promise<Statement[]> {
  // The parser counts bytes.
  const bytes = Buffer.from(`${migration.up}\n`)
  const firstLine = directiveLine(migration, 'up') + 1
  return ((await parse(bytes.toString())).stmts ?? []).flatMap(({ stmt, stmt_location: at = 0, stmt_len: length }) => {
    if (!stmt) return []
    const raw = bytes.subarray(at, length ? at + length : undefined).toString()
    const text = raw.replace(/^(\s+|--.*\n|\/\*[\s\S]*?\*\/)+/, '')
    const above = bytes.subarray(0, at).toString() + raw.slice(0, raw.length - text.length)
    return [{ line: firstLine + above.split('\n').length - 1, text, node: stmt }]
  })
}

const longest = 160

function onOneLine({ text }: Statement): string {
  const line = text.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

async function run(client: pg.Client, migration: Migration, { line, text }: Statement): Promise<void> {
  try {
    await client.query(text)
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause
    const what = `${fileName(migration)}:${line}: ${cause.message} (${cause.code})`
    throw new Failure(what, cause.hint ?? 'see to that', { cause })
  }
}

// --- What it did

interface Relation {
  readonly oid: number
  readonly name: string
  readonly kind: string
  /** Of an index, its table's. */
  readonly table: number | null
  readonly file: number
  readonly modes: string[]
  readonly scans: number
  readonly rows_read: number
  readonly rows_changed: number
}

type Look = ReadonlyMap<number, Relation>

/** Reads the system's tables only, and so adds nothing to what it tells. */
async function look(client: pg.Client): Promise<Look> {
  const { rows } = await client.query<Relation>(`
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relkind as kind, i.indrelid as "table",
      c.relfilenode as file,
      array(
        select l.mode from pg_locks as l
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted and l.relation = c.oid
          and l.database = (select oid from pg_database where datname = current_database())
      ) as modes,
      coalesce(s.seq_scan, 0)::int as scans, coalesce(s.seq_tup_read, 0)::int as rows_read,
      coalesce(s.n_tup_upd + s.n_tup_del, 0)::int as rows_changed
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    left join pg_index as i on i.indexrelid = c.oid
    left join pg_stat_xact_user_tables as s on s.relid = c.oid
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'm', 'i', 'I')
    order by 2`)
  return new Map(rows.map((row) => [row.oid, row]))
}

async function countRows(client: pg.Client, tables: Look): Promise<ReadonlyMap<number, number>> {
  const counts = [...tables.values()].flatMap(({ oid, name, kind }) =>
    kind === 'r' ? [`select ${oid} as oid, count(*)::int as rows from ${name}`] : [],
  )
  if (counts.length === 0) return new Map()
  const { rows } = await client.query<{ oid: number; rows: number }>(counts.join(' union all '))
  return new Map(rows.map((row) => [row.oid, row.rows]))
}

function effect(
  statement: Statement,
  before: Look,
  after: Look,
  start: Look,
  rows: ReadonlyMap<number, number>,
): StatementEffect {
  const tables = [...after.values()].filter(({ oid, table }) => table === null && start.has(oid))
  const was = ({ oid }: Relation): Relation => before.get(oid)!
  const namesOf = (found: readonly Relation[]) => found.map(({ name }) => name)
  return {
    line: statement.line,
    sql: onOneLine(statement),
    locks: tables.flatMap((table) => {
      const mode = strongest(table.modes)
      const held = strongest(was(table).modes)
      const isNew = mode !== undefined && (held === undefined || strength(mode) > strength(held))
      return isNew ? [{ table: table.name, mode }] : []
    }),
    rewrites: namesOf(tables.filter((table) => table.kind !== 'p' && table.file !== was(table).file)),
    scans: namesOf(
      tables.filter((table) => {
        const { scans, rows_read } = was(table)
        return table.scans > scans && table.rows_read - rows_read >= (rows.get(table.oid) ?? 0)
      }),
    ),
    indexes: builtIndexes(before, after, start),
    writes: namesOf(tables.filter((table) => table.rows_changed > was(table).rows_changed)),
    isConcurrent: false,
  }
}

/** One whose column got a type of the same form (a wider varchar) is another by its id, and keeps its file. */
function builtIndexes(before: Look, after: Look, start: Look): BuiltIndex[] {
  const files = new Set([...before.values()].map(({ file }) => file))
  return [...after.values()].flatMap(({ name, kind, table, file }) => {
    if (kind !== 'i' || table === null || !start.has(table) || files.has(file)) return []
    return [{ name, table: after.get(table)!.name }]
  })
}

/** Nothing is left to see of its locks once it is done. */
function concurrentEffect(statement: Statement, before: Look, after: Look): StatementEffect {
  const { node } = statement
  const indexes = builtIndexes(before, after, before)
  const dropped = [...before.values()].filter(({ oid, table }) => table !== null && !after.has(oid))
  const touched = [...indexes.map(({ table }) => table), ...dropped.map(({ table }) => before.get(table!)!.name)]
  const isIndex = 'IndexStmt' in node || 'DropStmt' in node || 'ReindexStmt' in node
  return {
    line: statement.line,
    sql: onOneLine(statement),
    locks: isIndex ? [...new Set(touched)].map((table) => ({ table, mode: 'SHARE UPDATE EXCLUSIVE' })) : [],
    rewrites: [...after.values()].flatMap(({ oid, name, table, file }) =>
      table === null && before.has(oid) && before.get(oid)!.file !== file ? [name] : [],
    ),
    scans: [...new Set(indexes.map(({ table }) => table))],
    indexes,
    writes: [],
    isConcurrent: true,
  }
}

/** `AccessExclusiveLock` as the manual writes it. */
const inWords = (mode: string): string => mode.replace(/Lock$/, '').replace(/\B[A-Z]/g, ' $&').toUpperCase()

function strongest(modes: readonly string[]): LockMode | undefined {
  const names = modes.map(inWords)
  return lockModes.findLast((mode) => names.includes(mode))
}
