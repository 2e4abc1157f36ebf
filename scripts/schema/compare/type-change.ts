import type { Severity } from '../catalog/model.ts'

interface TypeVerdict {
  readonly severity: Severity
  readonly reason: string
}

interface Type {
  readonly name: string
  /** `character varying(20)`: 20; no limit: Infinity. */
  readonly limit: number
  readonly scale: number
}

const integers = ['smallint', 'integer', 'bigint']
const texts = ['character varying', 'text']

/** Judges the effect of a type change on values and on code that uses them. The types are as format_type() writes them. */
export function judgeType(from: string, to: string): TypeVerdict[] {
  const [was, is] = [read(from), read(to)]
  if (texts.includes(was.name) && texts.includes(is.name)) return [is.limit >= was.limit ? wider : narrower]
  if (was.name === is.name) {
    if (was.name === 'numeric') {
      if (is.limit === Infinity) return [wider]
      if (is.scale < was.scale || was.limit === Infinity) return [rounded]
      return [is.limit - is.scale >= was.limit - was.scale ? wider : narrower]
    }
    if (/^(time|interval)/.test(was.name)) return [is.limit >= was.limit ? wider : rounded]
    return [is.limit >= was.limit ? wider : narrower]
  }
  const [size, next] = [was, is].map(({ name }) => integers.indexOf(name))
  if (size! >= 0 && next! > size!) return [larger]
  if (size! >= 0 && next! >= 0) return [narrower]
  return [{ severity: 'breaking', reason: 'running code reads and writes another type' }]
}

const wider: TypeVerdict = { severity: 'additive', reason: '' }
const larger: TypeVerdict = { severity: 'care', reason: 'it rewrites the table, and clients may read another type' }
const narrower: TypeVerdict = { severity: 'breaking', reason: 'it fails where a value does not fit, and so do writes' }
const rounded: TypeVerdict = { severity: 'destructive', reason: 'values are rounded, and the rest is lost' }

/** `numeric(10,2)`, `timestamp(3) with time zone` */
function read(type: string): Type {
  const [, limit, scale] = /\((\d+)(?:,(-?\d+))?\)/.exec(type) ?? []
  return {
    name: type.replace(/\(.*?\)/, ''),
    limit: limit === undefined ? Infinity : Number(limit),
    scale: Number(scale ?? 0),
  }
}
