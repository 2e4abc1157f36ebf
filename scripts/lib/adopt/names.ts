import { parse, type Node } from 'libpg-query'
import type { Migration } from '../migrations.ts'

/** What the migrations create outside the schemas that are theirs; it must not be there before. */
export interface Names {
  readonly schemas: Set<string>
  /** In `public`: tables, indexes (those of constraints too) and sequences of identities. */
  readonly relations: Set<string>
  /** Domains and enums in `public`. */
  readonly domains: Set<string>
  /** `<table>.<column>`, of tables that are there before. */
  readonly columns: Set<string>
  /** Those added to a table that is there before. */
  readonly constraints: Set<string>
}

export async function namesIn(migrations: readonly Migration[]): Promise<Names> {
  const names: Names = {
    schemas: new Set(),
    relations: new Set(),
    domains: new Set(),
    columns: new Set(),
    constraints: new Set(),
  }
  for (const { up } of migrations) {
    for (const { stmt } of (await parse(`${up}\n`)).stmts ?? []) if (stmt) collect(stmt, names)
  }
  return names
}

function collect(stmt: Node, names: Names): void {
  const relation = (range: { schemaname?: string; relname?: string } | undefined, name = range?.relname) => {
    if (range?.schemaname === 'public' && name !== undefined) names.relations.add(name)
  }
  if ('CreateSchemaStmt' in stmt && stmt.CreateSchemaStmt.schemaname) names.schemas.add(stmt.CreateSchemaStmt.schemaname)
  if ('IndexStmt' in stmt) relation(stmt.IndexStmt.relation, stmt.IndexStmt.idxname)
  const type = (path: readonly Node[] = []) => {
    const [schema, name] = path.map((part) => ('String' in part ? part.String.sval : undefined))
    if (schema === 'public' && name !== undefined) names.domains.add(name)
  }
  if ('CreateDomainStmt' in stmt) type(stmt.CreateDomainStmt.domainname)
  if ('CreateEnumStmt' in stmt) type(stmt.CreateEnumStmt.typeName)
  if ('CreateStmt' in stmt) {
    const { relation: table, tableElts } = stmt.CreateStmt
    relation(table)
    for (const element of tableElts ?? []) {
      if ('Constraint' in element && hasIndex(element)) relation(table, element.Constraint.conname)
      if (isIdentity(element)) relation(table, `${table?.relname}_${element.ColumnDef.colname}_seq`)
    }
  }
  if ('AlterTableStmt' in stmt) {
    const { relation: table, cmds } = stmt.AlterTableStmt
    for (const cmd of cmds ?? []) {
      const def = 'AlterTableCmd' in cmd ? cmd.AlterTableCmd.def : undefined
      if (!def || !table?.relname) continue
      if ('ColumnDef' in def && def.ColumnDef.colname) names.columns.add(`${table.relname}.${def.ColumnDef.colname}`)
      if ('Constraint' in def && def.Constraint.conname) {
        names.constraints.add(def.Constraint.conname)
        if (hasIndex(def)) relation(table, def.Constraint.conname)
      }
    }
  }
}

const hasIndex = ({ Constraint }: Extract<Node, { Constraint: unknown }>): boolean =>
  ['CONSTR_PRIMARY', 'CONSTR_UNIQUE', 'CONSTR_EXCLUSION'].includes(Constraint.contype ?? '')

const isIdentity = (element: Node): element is Extract<Node, { ColumnDef: unknown }> =>
  'ColumnDef' in element &&
  (element.ColumnDef.constraints ?? []).some((one) => 'Constraint' in one && one.Constraint.contype === 'CONSTR_IDENTITY')
