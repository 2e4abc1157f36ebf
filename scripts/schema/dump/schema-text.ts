/** The parsed text of a dump by `dumpSchema()` or of db/schema.sql. */
export interface SchemaText {
  readonly entries: readonly Entry[]
  /** Entries by the name that pg_dump uses, for instance `POLICY public.apps select_own`. */
  readonly byKey: ReadonlyMap<string, Entry>
  /** Qualified as pg_dump writes them. */
  readonly tables: ReadonlySet<string>
}

export interface Entry {
  readonly key: string
  readonly type: string
  readonly schema: string
  readonly name: string
  readonly sql: string
  /** The line on which its statement starts, from 1. */
  readonly line: number
}

const header = /^--\n-- Name: (.*); Type: (.*); Schema: (.*); Owner: -\n--\n\n/gm

/** Separates the dump in db/schema.sql from the rows that migrations insert. */
export const seedRowsHeader = `

--
-- The rows that the migrations insert.
--

`

export function readSchemaText(file: string): SchemaText {
  const [text = ''] = file.split(seedRowsHeader)
  const headers = [...text.matchAll(header)]
  let line = 1
  let counted = 0
  const entries = headers.map((match, at): Entry => {
    const [head, name = '', type = '', schema = ''] = match
    const start = match.index + head.length
    line += text.slice(counted, start).split('\n').length - 1
    counted = start
    const sql = text.slice(start, headers[at + 1]?.index).trim()
    return { key: `${type} ${schema}.${name}`, type, schema, name, sql, line }
  })
  const tables = entries.filter(({ type }) => type === 'TABLE').map(qualified)
  return { entries, byKey: new Map(entries.map((entry) => [entry.key, entry])), tables: new Set(tables) }
}

export const qualified = ({ schema, name }: Entry): string => `${schema}.${name}`

/** The table that a policy, trigger or rule is on: pg_dump puts it first in the name. */
export const tableOf = ({ schema, name }: Entry): string => `${schema}.${name.split(' ', 1)[0]}`

/** The names of the checks of a table or domain. Validated checks are in its entry; others are separate entries. */
export function checksOf({ entries }: SchemaText, { schema, name, sql }: Entry): ReadonlySet<string> {
  const inline = [...sql.matchAll(/^\s+CONSTRAINT (\S+) CHECK /gm)].map(([, check = '']) => check)
  const apart = entries
    .filter((entry) => entry.type === 'CHECK CONSTRAINT' && entry.key.startsWith(`CHECK CONSTRAINT ${schema}.${name} `))
    .map((entry) => entry.name.slice(name.length + 1))
  return new Set([...inline, ...apart])
}

/** A statement on one line, for a terminal. */
export const oneLine = (sql: string): string => sql.replace(/\s*\n\s*/g, ' ')
