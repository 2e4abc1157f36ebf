import type pg from 'pg'
import { readOnly } from '../../core/read-only.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { keyOf } from '../catalog/model.ts'
import { compareWithRepository, type LiveOptions } from '../live/compare-live.ts'
import type { VerifyFinding } from './finding.ts'
import { readFindings, type SchemaFinding } from './findings.ts'
import { qualified } from './names.ts'
import { readSchemaFile } from './remedies.ts'

/** Returns a function that decides whether a finding was accepted at adoption. @param client has no open transaction. */
export type ReadAccepted = (client: pg.Client) => Promise<(finding: SchemaFinding) => boolean>

export interface SchemaOptions extends LiveOptions {
  readonly readAccepted?: ReadAccepted
}

export interface SchemaFindings {
  readonly findings: readonly VerifyFinding[]
  /** The parts that could not be compared, with the reasons. */
  readonly leftOut: readonly string[]
}

/**
 * Finds the differences between the schema of a database and the one that the migrations create. `make verify` and `make
 * doctor` report these findings, `make diff` the underlying differences. compare/ignored.ts lists the exceptions.
 *
 * Requires an embedded PostgreSQL, see `compareWithRepository()`.
 * @param client has no open transaction, before and after.
 * @throws Failure if the embedded PostgreSQL cannot be started.
 */
export async function examineSchema(client: pg.Client, target: Target, options: SchemaOptions = {}): Promise<SchemaFindings> {
  const isAccepted = (await options.readAccepted?.(client)) ?? (() => false)
  const compared = await compareWithRepository(target, options)
  const findings = readFindings(compared, await readSchemaFile(), await readBuilding(client))
  const { catalog, managed } = compared.reference
  const tables = catalog.objects.filter((object) => object.kind === 'table' && managed.has(keyOf(catalog, object)))
  const views = catalog.objects.filter((object) => /view$/.test(object.kind) && managed.has(keyOf(catalog, object)))
  const leaks = await readLeaks(client, tables.map(qualified), views.map(qualified))
  return { findings: [...findings.map(withAccepted(isAccepted)), ...leaks], leftOut: compared.leftOut }
}

/** Marks accepted findings as known. A known finding has no remedy. */
const withAccepted = (isAccepted: (finding: SchemaFinding) => boolean) => (finding: SchemaFinding): VerifyFinding => {
  const { about: _, remedy, ...rest } = finding
  const isKnown = finding.isKnown || isAccepted(finding)
  return isKnown || remedy === undefined ? { ...rest, isKnown } : { ...rest, remedy, isKnown }
}

async function readBuilding(client: pg.Client): Promise<ReadonlyMap<string, number>> {
  const rows = await readOnly<{ name: string; pid: number }>(
    client,
    'select index_relid::regclass::text as name, pid from pg_stat_progress_create_index where index_relid <> 0',
  )
  return new Map(rows.map(({ name, pid }) => [name, pid]))
}

/** Finds views that run with the rights of their owner and show users rows that row security hides from them. */
async function readLeaks(client: pg.Client, tables: readonly string[], own: readonly string[]): Promise<VerifyFinding[]> {
  const rows = await readOnly<{ kind: string; name: string }>(
    client,
    `select distinct
      case v.relkind when 'm' then 'materialized view' else 'view' end as kind,
      v.oid::regclass::text as name
    from pg_class as v
    join pg_rewrite as r on r.ev_class = v.oid
    join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    where v.relkind in ('v', 'm')
      and d.refclassid = 'pg_class'::regclass
      and d.refobjid in (select to_regclass(name) from unnest($1::text[]) as name)
      and v.oid not in (select to_regclass(name) from unnest($2::text[]) as name where to_regclass(name) is not null)
      and not exists (
        select from pg_options_to_table(v.reloptions) where option_name = 'security_invoker' and option_value::boolean
      )
      and exists (
        select from pg_roles where rolname in ('anon', 'authenticated') and (
          has_any_column_privilege(oid, v.oid, 'select, insert, update') or has_table_privilege(oid, v.oid, 'delete')
        )
      )
    order by 2`,
    [tables, own],
  )
  return rows.map(({ kind, name }) => ({
    code: 'view_leaks',
    object: name,
    what: `${kind} ${name} shows users rows of managed tables with its owner's rights, bypassing row security`,
    remedy:
      kind === 'view'
        ? `ALTER VIEW ${name} SET (security_invoker = true);`
        : `REVOKE ALL ON ${name} FROM PUBLIC, anon, authenticated;`,
    isKnown: false,
  }))
}

/** Reports a schema that cannot be compared as a finding, so that the other parts of the report are still created. */
export async function examineSchemaOrSay(client: pg.Client, target: Target, options: SchemaOptions): Promise<VerifyFinding[]> {
  try {
    const { findings, leftOut } = await examineSchema(client, target, options)
    const known = leftOut.map((what) => ({ code: 'not_compared', object: target.label, what, isKnown: true }))
    return [...known, ...findings]
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { message, remedy } = error
    return [{ code: 'schema_unread', object: target.label, what: message, remedy, isKnown: false }]
  }
}
