import { relative } from 'node:path'
import ts from 'typescript'
import { fromRoot, root } from '../../../core/paths.ts'
import { parseComment } from './comment.ts'
import type { Comment } from './comment.ts'
import type { Entry } from './program.ts'
import { signatureOf } from './signature.ts'
import type { Compiler } from './signature.ts'

const kinds = ['function', 'class', 'constant', 'interface', 'type'] as const
export type Kind = (typeof kinds)[number]

/** One export of the package. */
export interface Item {
  /** The name that callers write: `apps.list`. */
  readonly name: string
  readonly kind: Kind
  readonly signature: string
  readonly comment: Comment | undefined
  /** The result of a call: none, a union with a property `outcome`, or another value. */
  readonly result: 'none' | 'outcome' | 'value'
  /** Where it is declared: `db/queries/apps.ts:35`. */
  readonly location: string
}

/** The exports of one entry point of the package, or of one namespace that it exports. */
export interface Section {
  readonly title: string
  readonly comment: Comment | undefined
  readonly items: readonly Item[]
}

/** All exports. One that several entry points export is listed once, under the entry point with the longest name. */
export function sectionsOf(program: ts.Program, entries: readonly Entry[]): Section[] {
  const checker = program.getTypeChecker()
  const tables = exportsOf(checker, program.getSourceFile(fromRoot('types/db.ts'))!).find(({ name }) => name === 'DB')!
  const compiler = { checker, database: checker.getDeclaredTypeOfSymbol(tables.symbol) }
  const seen = new Set<ts.Symbol>()
  const byEntry = entries
    .toSorted((a, b) => b.name.length - a.name.length)
    .map((entry): [Entry, Section[]] => {
      const file = program.getSourceFile(entry.file)!
      return [entry, sectionsOfModule(compiler, file, entry.name, seen)]
    })
  return entries.flatMap((entry) => byEntry.find(([other]) => other === entry)![1])
}

function sectionsOfModule(compiler: Compiler, file: ts.SourceFile, title: string, seen: Set<ts.Symbol>): Section[] {
  const [items, namespaces]: [Item[], Section[]] = [[], []]
  for (const { name, symbol, declaration } of exportsOf(compiler.checker, file)) {
    if (seen.has(symbol)) continue
    seen.add(symbol)
    if (ts.isSourceFile(declaration)) {
      const inner = exportsOf(compiler.checker, declaration)
      const own = inner.map((one) => itemOf(compiler, `${name}.${one.name}`, one.declaration))
      namespaces.push({ title: name, comment: commentOfFile(declaration), items: ordered(own) })
    } else {
      items.push(itemOf(compiler, name, declaration))
    }
  }
  const sections = [{ title, comment: commentOfFile(file), items: ordered(items) }, ...namespaces]
  return sections.filter(({ items }) => items.length > 0)
}

/** Sorts by kind: functions first, then the types that they use. */
const ordered = (items: readonly Item[]): Item[] => kinds.flatMap((kind) => items.filter((item) => item.kind === kind))

interface Export {
  readonly name: string
  readonly symbol: ts.Symbol
  readonly declaration: ts.Declaration
}

function exportsOf(checker: ts.TypeChecker, file: ts.SourceFile): Export[] {
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(file)!).map(({ name, flags }, at, all) => {
    const symbol = flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(all[at]!) : all[at]!
    return { name, symbol, declaration: symbol.declarations![0]! }
  })
  // In source order: the compiler's order differs.
  return exported.toSorted(({ declaration: a }, { declaration: b }) => {
    const [first, second] = [a.getSourceFile().fileName, b.getSourceFile().fileName]
    return first === second ? a.pos - b.pos : first < second ? -1 : 1
  })
}

function itemOf(compiler: Compiler, name: string, declaration: ts.Declaration): Item {
  const { checker } = compiler
  const file = declaration.getSourceFile()
  const { line } = file.getLineAndCharacterOfPosition(declaration.getStart())
  const call = checker.getTypeAtLocation(declaration).getCallSignatures()[0]
  const kind = kindOf(declaration, call !== undefined)
  return {
    name,
    kind,
    signature: signatureOf(compiler, name, declaration),
    comment: commentOf(declaration),
    result: call === undefined ? 'none' : resultOf(checker, call),
    location: `${relative(root, file.fileName)}:${line + 1}`,
  }
}

function resultOf(checker: ts.TypeChecker, call: ts.Signature): Item['result'] {
  const result = checker.getAwaitedType(call.getReturnType()) ?? call.getReturnType()
  if (result.flags & ts.TypeFlags.Void) return 'none'
  return result.getProperty('outcome') ? 'outcome' : 'value'
}

function kindOf(declaration: ts.Declaration, isCallable: boolean): Kind {
  if (ts.isClassDeclaration(declaration)) return 'class'
  if (ts.isInterfaceDeclaration(declaration)) return 'interface'
  if (ts.isTypeAliasDeclaration(declaration)) return 'type'
  return isCallable ? 'function' : 'constant'
}

function commentOf(declaration: ts.Declaration): Comment | undefined {
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
  const comments = ts.getJSDocCommentsAndTags(statement).filter(ts.isJSDoc)
  return comments.length === 0 ? undefined : parseComment(comments.at(-1)!.getText())
}

/** The comment above the first import describes the file. */
function commentOfFile(file: ts.SourceFile): Comment | undefined {
  const [first] = file.statements
  const [range] = ts.getLeadingCommentRanges(file.text, 0) ?? []
  const text = range && file.text.slice(range.pos, range.end)
  return first && ts.isImportDeclaration(first) && text?.startsWith('/**') ? parseComment(text) : undefined
}
