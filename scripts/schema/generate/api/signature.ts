import ts from 'typescript'

export interface Compiler {
  readonly checker: ts.TypeChecker
  /** The generated interface `DB`. */
  readonly database: ts.Type
}

/** Formats a declaration for callers. It is the source text, unless that refers to table types. */
export function signatureOf(compiler: Compiler, name: string, declaration: ts.Declaration): string {
  if (ts.isFunctionDeclaration(declaration)) {
    const end = declaration.body?.getFullStart() ?? declaration.getEnd()
    return withResult(compiler.checker, name + slice(declaration, declaration.name!.getEnd(), end), declaration)
  }
  if (ts.isVariableDeclaration(declaration)) {
    const { initializer } = declaration
    if (initializer && ts.isArrowFunction(initializer)) {
      const head = slice(initializer, initializer.getStart(), initializer.equalsGreaterThanToken.getFullStart())
      return withResult(compiler.checker, name + head.replace(/^async\s+/, ''), initializer)
    }
    return `const ${declaration.getText().replace(/ as const( satisfies [^\n]+)?$/, '')}`
  }
  if (ts.isClassDeclaration(declaration)) return classOf(declaration)
  const text = undecorated(declaration.getText())
  return usesTableTypes(text) ? columnsOf(compiler, text, declaration) : text
}

const slice = (node: ts.Node, from: number, to: number): string => node.getSourceFile().text.slice(from, to).trim()
const undecorated = (text: string): string => text.replace(/^export (declare )?/, '')

function withResult(checker: ts.TypeChecker, head: string, declaration: ts.SignatureDeclaration): string {
  if (declaration.type) return head
  const result = checker.getReturnTypeOfSignature(checker.getSignatureFromDeclaration(declaration)!)
  return `${head}: ${typeText(checker, result, declaration)}`
}

/** A type such as `Pick<Row<'apps'>, …>` is written out as columns with their comments. */
const usesTableTypes = (text: string): boolean => /\b(Row|New|Patch)<'|\bCostSum\b/.test(text)

function columnsOf(compiler: Compiler, text: string, declaration: ts.Declaration): string {
  const { checker } = compiler
  const [head] = /^(interface|type) \w+/.exec(text)!
  const tables = [...text.matchAll(/<'(\w+)'>/g)].map(([, table]) => columnComments(compiler, table!))
  const members = checker.getPropertiesOfType(checker.getTypeAtLocation(declaration)).map((property) => {
    const type = typeText(checker, checker.getTypeOfSymbolAtLocation(property, declaration), declaration)
    const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0
    const own = ts.displayPartsToString(property.getDocumentationComment(checker))
    const comment = own || tables.flatMap((columns) => columns.get(property.name) ?? [])[0]
    const line = `  ${property.name}${isOptional ? '?' : ''}: ${type}`
    return { name: property.name, text: comment ? `  /** ${comment.replaceAll('\n', ' ')} */\n${line}` : line }
  })
  // Sorted by name: the compiler's order depends on the types that it has resolved before.
  const lines = members.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((member) => member.text)
  return `${head}${head.startsWith('type') ? ' =' : ''} {\n${lines.join('\n')}\n}`
}

/** The comments on a table's columns in types/db.ts, which Kysely's mapped types lose. */
function columnComments({ checker, database }: Compiler, table: string): Map<string, string> {
  const symbol = database.getProperty(table)
  const columns = symbol ? checker.getTypeOfSymbol(symbol).getProperties() : []
  const comment = (column: ts.Symbol): string => ts.displayPartsToString(column.getDocumentationComment(checker))
  return new Map(columns.map((column) => [column.name, comment(column)]))
}

/** The public members of a class, without bodies and without the constructor of an error class. */
function classOf(declaration: ts.ClassDeclaration): string {
  const heritage = declaration.heritageClauses?.map((clause) => ` ${clause.getText()}`).join('') ?? ''
  const isAbstract = declaration.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AbstractKeyword) ?? false
  const isError = /\bextends \w*Error\b/.test(heritage)
  const isOwn = (member: ts.ClassElement): boolean => !(isError && ts.isConstructorDeclaration(member))
  const members = declaration.members.filter((member) => isPublic(member) && isOwn(member))
  const lines = members.map((member) => {
    const comment = ts.getJSDocCommentsAndTags(member).filter(ts.isJSDoc).map((doc) => `${doc.getText()}\n  `).join('')
    return `  ${comment}${memberOf(member)}`
  })
  return `${isAbstract ? 'abstract ' : ''}class ${declaration.name!.text}${heritage} {\n${lines.join('\n')}\n}`
}

function isPublic(member: ts.ClassElement): boolean {
  const isHidden = ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)
  return !isHidden && !(member.name && ts.isPrivateIdentifier(member.name))
}

function memberOf(member: ts.ClassElement): string {
  const start = member.getStart()
  const hasBody = ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member) || ts.isGetAccessor(member)
  const text = slice(member, start, (hasBody && member.body?.getFullStart()) || member.getEnd())
  return text.replaceAll(/^((abstract|declare|override|async) )+/g, '')
}

/** Prints a type, over several lines when it has members, in this repository's format. */
function typeText(checker: ts.TypeChecker, type: ts.Type, at: ts.Node): string {
  const { NoTruncation, MultilineObjectLiterals, UseAliasDefinedOutsideCurrentScope } = ts.NodeBuilderFlags
  const flags = NoTruncation | MultilineObjectLiterals | UseAliasDefinedOutsideCurrentScope
  const node = checker.typeToTypeNode(type, at, flags)!
  const printed = ts.createPrinter().printNode(ts.EmitHint.Unspecified, node, at.getSourceFile())
  return printed
    .replaceAll(/^( {4})+/gm, (spaces) => ' '.repeat(spaces.length / 2))
    .replaceAll(/;$/gm, '')
    .replaceAll(/import\("[^"]+"\)\./g, '')
    .replaceAll('"', "'")
}
