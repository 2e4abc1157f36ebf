import type { Statement, TypeNode } from 'typescript'
import { typescript } from './typescript.ts'

/** A declaration in the file that kysely-codegen generates. */
export interface Declaration {
  readonly kind: 'interface' | 'enum' | 'alias' | 'generic'
  /** The source text of an alias's type. */
  readonly text: string
  /** The members of an interface: name → source text of the type. */
  readonly members: ReadonlyMap<string, string>
  /** Offsets in the source. */
  readonly start: number
  readonly end: number
}

export type Declarations = ReadonlyMap<string, Declaration>

/** Reads the declarations of a file, by name. */
export function readDeclarations(source: string): Declarations {
  const ts = typescript()
  const file = ts.createSourceFile('db.ts', source, ts.ScriptTarget.ES2022)
  const read = (node: Statement): [string, Declaration][] => {
    const range = { start: node.getStart(file), end: node.end }
    if (ts.isInterfaceDeclaration(node)) {
      const members = node.members.filter(ts.isPropertySignature).map(({ name, type }): [string, string] => {
        return [ts.isStringLiteral(name) ? name.text : name.getText(file), type!.getText(file)]
      })
      return [[node.name.text, { kind: 'interface', text: 'interface', members: new Map(members), ...range }]]
    }
    if (!ts.isTypeAliasDeclaration(node)) return []
    const kind = node.typeParameters ? 'generic' : isEnum(node.type) ? 'enum' : 'alias'
    return [[node.name.text, { kind, text: node.type.getText(file), members: new Map(), ...range }]]
  }
  return new Map(file.statements.flatMap(read))
}

function isEnum(type: TypeNode): boolean {
  const ts = typescript()
  const values = ts.isUnionTypeNode(type) ? [...type.types] : [type]
  return values.every((one) => ts.isLiteralTypeNode(one) && ts.isStringLiteral(one.literal))
}
