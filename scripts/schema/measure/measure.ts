import { parse, type Node } from 'libpg-query'
import pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { directiveLine, fileName, type Migration } from '../../migrate/migrations.ts'

/** Table lock modes, from the weakest to the strongest. */
const lockModes = [
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

/** What a statement did to tables that existed before its migration. Tables are given as schema and name. */
export interface StatementEffect {
  /** Line in the file, counted from 1. */
  readonly line: number
  /** The statement on one line, without leading comments, truncated when long. */
  readonly sql: string
  /** Locks that the transaction did not hold before, or held in a weaker mode. They last until the transaction ends. */
  readonly locks: readonly TableLock[]
  /** Tables whose file (relfilenode) changed. */
  readonly rewrites: readonly string[]
  /** Tables that were scanned completely. */
  readonly scans: readonly string[]
  /** Indexes that were built or rebuilt. */
  readonly indexes: readonly BuiltIndex[]
  /** Tables in which rows were updated or deleted. */
  readonly writes: readonly string[]
  /**
   * Whether it runs outside a transaction. Such a statement waits for every older transaction, and `locks` is not
   * measured but taken from the PostgreSQL manual, for indexes only; for `call`, `do` and `vacuum` it is empty.
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
 * Runs a migration statement by statement and measures the effects of each. Effects are read from the system catalogs,
 * not derived from the SQL text, so effects inside `do $$` or a function are found too. The migration stays applied but is not
 * recorded. No other session may use the database. In an empty table, reading the first row counts as a complete scan,
 * so tables with some rows give more exact results.
 *
 * @throws Failure when a statement fails; a migration that runs in a transaction has then been rolled back.
 */
export async function measureMigration(client: pg.Client, migration: Migration): Promise<StatementEffect[]> {
  const statements = await split(migration)
  const start = await readSnapshot(client)
  const rows = await countRows(client, start)
  if (!migration.transaction) {
    const [statement] = statements
    if (!statement) return []
    await run(client, migration, statement)
    return [concurrentEffect(statement, start, await readSnapshot(client))]
  }
  const effects: StatementEffect[] = []
  await client.query('begin')
  try {
    let before = await readSnapshot(client)
    for (const statement of statements) {
      await run(client, migration, statement)
      const after = await readSnapshot(client)
      effects.push(transactionalEffect(statement, before, after, start, rows))
      before = after
    }
    await client.query('commit')
    return effects
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

// --- Statements

interface Statement {
  readonly line: number
  readonly text: string
  readonly node: Node
}

async function split(migration: Migration): Promise<Statement[]> {
  // The parser counts offsets in bytes.
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

const maxLength = 160

function onOneLine({ text }: Statement): string {
  const line = text.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim()
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line
}

async function run(client: pg.Client, migration: Migration, { line, text }: Statement): Promise<void> {
  try {
    await client.query(text)
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause
    const message = `${fileName(migration)}:${line}: ${cause.message} (${cause.code})`
    throw new Failure(message, cause.hint ?? 'correct the statement', { cause })
  }
}

// --- Effects

interface Relation {
  readonly oid: number
  readonly name: string
  readonly kind: string
  /** The OID of an index's table. */
  readonly table: number | null
  readonly file: number
  readonly modes: string[]
  readonly scans: number
  readonly rows_read: number
  readonly rows_changed: number
}

/** The state of all relations, by OID. */
type CatalogSnapshot = ReadonlyMap<number, Relation>

/** Reads system catalogs only, so that the measurement does not change the measured locks and scans. */
async function readSnapshot(client: pg.Client): Promise<CatalogSnapshot> {
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

async function countRows(client: pg.Client, tables: CatalogSnapshot): Promise<ReadonlyMap<number, number>> {
  const counts = [...tables.values()].flatMap(({ oid, name, kind }) =>
    kind === 'r' ? [`select ${oid} as oid, count(*)::int as rows from ${name}`] : [],
  )
  if (counts.length === 0) return new Map()
  const { rows } = await client.query<{ oid: number; rows: number }>(counts.join(' union all '))
  return new Map(rows.map((row) => [row.oid, row.rows]))
}

function transactionalEffect(
  statement: Statement,
  before: CatalogSnapshot,
  after: CatalogSnapshot,
  start: CatalogSnapshot,
  rows: ReadonlyMap<number, number>,
): StatementEffect {
  const tables = [...after.values()].filter(({ oid, table }) => table === null && start.has(oid))
  const previous = ({ oid }: Relation): Relation => before.get(oid)!
  const namesOf = (relations: readonly Relation[]) => relations.map(({ name }) => name)
  return {
    line: statement.line,
    sql: onOneLine(statement),
    locks: tables.flatMap((table) => {
      const mode = strongest(table.modes)
      const held = strongest(previous(table).modes)
      const isNew = mode !== undefined && (held === undefined || strength(mode) > strength(held))
      return isNew ? [{ table: table.name, mode }] : []
    }),
    rewrites: namesOf(tables.filter((table) => table.kind !== 'p' && table.file !== previous(table).file)),
    scans: namesOf(
      tables.filter((table) => {
        const { scans, rows_read } = previous(table)
        return table.scans > scans && table.rows_read - rows_read >= (rows.get(table.oid) ?? 0)
      }),
    ),
    indexes: builtIndexes(before, after, start),
    writes: namesOf(tables.filter((table) => table.rows_changed > previous(table).rows_changed)),
    isConcurrent: false,
  }
}

/**
 * Compares files, not OIDs: an index whose column changes to a binary compatible type (a longer varchar) gets a new OID
 * and keeps its file.
 */
function builtIndexes(before: CatalogSnapshot, after: CatalogSnapshot, start: CatalogSnapshot): BuiltIndex[] {
  const files = new Set([...before.values()].map(({ file }) => file))
  return [...after.values()].flatMap(({ name, kind, table, file }) => {
    if (kind !== 'i' || table === null || !start.has(table) || files.has(file)) return []
    return [{ name, table: after.get(table)!.name }]
  })
}

/** The locks are not measured: they are released when the statement ends. */
function concurrentEffect(statement: Statement, before: CatalogSnapshot, after: CatalogSnapshot): StatementEffect {
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

/** `AccessExclusiveLock` → `ACCESS EXCLUSIVE`. */
const lockModeName = (mode: string): string => mode.replace(/Lock$/, '').replace(/\B[A-Z]/g, ' $&').toUpperCase()

function strongest(modes: readonly string[]): LockMode | undefined {
  const names = modes.map(lockModeName)
  return lockModes.findLast((mode) => names.includes(mode))
}
