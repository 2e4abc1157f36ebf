import { oneLine, type Entry } from '../../schema/dump/schema-text.ts'

/** The statement that makes it, or where that stands. */
export function create({ type, sql, line }: Entry): string {
  if (type === 'INDEX') return oneLine(sql).replace(/^CREATE( UNIQUE)? INDEX /, 'CREATE$1 INDEX CONCURRENTLY ')
  return /POLICY|TRIGGER|CONSTRAINT/.test(type) ? oneLine(sql) : `create it as in db/schema.sql:${line}`
}

export function replace(wanted: Entry, found: Entry): string {
  if (/^(POLICY|TRIGGER|RULE)$/.test(wanted.type)) return `BEGIN; ${drop(found)} ${create(wanted)} COMMIT;`
  return `${wanted.type === 'FUNCTION' ? 'create or replace it' : 'make it'} as in db/schema.sql:${wanted.line}`
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[^\s".]+)`
const creation = new RegExp(
  String.raw`^CREATE (?:CONSTRAINT )?(POLICY|TRIGGER|RULE) (${identifier}) ` +
    String.raw`[^]*?\b(?:ON|TO) (${identifier}\.${identifier})`,
)

export function drop({ sql }: Entry): string {
  const [, what, name, table] = creation.exec(sql) ?? []
  return `DROP ${what} ${name} ON ${table};`
}
