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

/** One thing that the package exports. */
export interface Item {
  /** As callers write it: `apps.list`. */
  readonly name: string
  readonly kind: Kind
  readonly signature: string
  readonly comment: Comment | undefined
  /** What a call answers with: nothing, a union whose `outcome` says what became of it, or a value. */
  readonly answer: 'nothing' | 'outcome' | 'value'
  /** `db/queries/apps.ts:35`, for who has to mend it. */
  readonly place: string
}

/** What is imported together: an entry of the package, or a namespace of one. */
export interface Section {
  readonly title: string
  readonly comment: Comment | undefined
  readonly items: readonly Item[]
}

/** Everything that is exported, once: where several entries export it, under the longest name. */
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

/** What is called comes before what it takes and gives. */
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
  // As they stand in their files, not as the compiler came upon them.
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
    answer: call === undefined ? 'nothing' : answerOf(checker, call),
    place: `${relative(root, file.fileName)}:${line + 1}`,
  }
}

function answerOf(checker: ts.TypeChecker, call: ts.Signature): Item['answer'] {
  const result = checker.getAwaitedType(call.getReturnType()) ?? call.getReturnType()
  if (result.flags & ts.TypeFlags.Void) return 'nothing'
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

/** The comment above a file's imports is about all of it. */
function commentOfFile(file: ts.SourceFile): Comment | undefined {
  const [first] = file.statements
  const [range] = ts.getLeadingCommentRanges(file.text, 0) ?? []
  const text = range && file.text.slice(range.pos, range.end)
  return first && ts.isImportDeclaration(first) && text?.startsWith('/**') ? parseComment(text) : undefined
}
