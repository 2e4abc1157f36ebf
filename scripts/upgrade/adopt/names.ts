import { parse, type Node } from 'libpg-query'
import type { Migration } from '../../migrate/migrations.ts'

/** Names of the objects that the migrations create outside their own schemas. They must not exist before. */
export interface Names {
  readonly schemas: Set<string>
  /** In `public`: tables, views, indexes and sequences, including those of constraints and identity columns. */
  readonly relations: Set<string>
  /** In `public`, including enums. */
  readonly domains: Set<string>
  /** `<table>.<column>`, added to tables of the baseline. */
  readonly columns: Set<string>
  /** Added to tables of the baseline. */
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
  const type = (parts: readonly Node[] = []) => {
    const [schema, name] = parts.map((part) => ('String' in part ? part.String.sval : undefined))
    if (schema === 'public' && name !== undefined) names.domains.add(name)
  }
  if ('CreateSchemaStmt' in stmt && stmt.CreateSchemaStmt.schemaname) names.schemas.add(stmt.CreateSchemaStmt.schemaname)
  if ('ViewStmt' in stmt) relation(stmt.ViewStmt.view)
  if ('IndexStmt' in stmt) relation(stmt.IndexStmt.relation, stmt.IndexStmt.idxname)
  if ('CreateDomainStmt' in stmt) type(stmt.CreateDomainStmt.domainname)
  if ('CreateEnumStmt' in stmt) type(stmt.CreateEnumStmt.typeName)
  if ('CreateStmt' in stmt) {
    relation(stmt.CreateStmt.relation)
    for (const element of stmt.CreateStmt.tableElts ?? []) {
      if ('Constraint' in element && hasIndex(element)) relation(stmt.CreateStmt.relation, element.Constraint.conname)
      if ('ColumnDef' in element && isIdentity(element)) {
        relation(stmt.CreateStmt.relation, `${stmt.CreateStmt.relation?.relname}_${element.ColumnDef.colname}_seq`)
      }
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

const isIdentity = ({ ColumnDef }: Extract<Node, { ColumnDef: unknown }>): boolean =>
  (ColumnDef.constraints ?? []).some((node) => 'Constraint' in node && node.Constraint.contype === 'CONSTR_IDENTITY')
