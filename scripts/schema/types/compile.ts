import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type ts from 'typescript'
import { fromRoot } from '../../core/paths.ts'
import { typescript } from './typescript.ts'

/** The compiler's result for a folder with a consumer. */
export interface Compiled {
  /** Lines of `consumer.ts` that do not compile, counted from 0. */
  readonly errors: ReadonlySet<number>
  /** The names that `index.ts` exports and that are declared. */
  readonly exported: ReadonlySet<string>
}

const options: ts.CompilerOptions = { strict: true, noEmit: true, noLib: true, allowImportingTsExtensions: true }

/** The only file of Kysely that is loaded: its column types. Loading all of Kysely takes a second. */
const kysely = fromRoot('node_modules', 'kysely', 'dist', 'esm', 'util', 'column-type.d.ts')
const typeUtils = '/type-utils.d.ts'

/** The global types that column types use. The compiler's standard library takes longer to load than everything else. */
const globals = `
  interface Array<T> { readonly length: number; [at: number]: T }
  interface ReadonlyArray<T> { readonly length: number; readonly [at: number]: T }
  interface Boolean {} interface Number {} interface Object {} interface RegExp {} interface String {}
  interface CallableFunction {} interface Function {} interface IArguments {} interface NewableFunction {}
  interface Buffer { readonly byteLength: number }
  interface Date { toISOString(): string }
  type Exclude<T, U> = T extends U ? never : T
  type Extract<T, U> = T extends U ? T : never
  type NonNullable<T> = T & {}
  type Omit<T, K extends keyof any> = { [P in Exclude<keyof T, K>]: T[P] }
  type Partial<T> = { [P in keyof T]?: T[P] }
  type Pick<T, K extends keyof T> = { [P in K]: T[P] }
  type Readonly<T> = { readonly [P in keyof T]: T[P] }
  type Record<K extends keyof any, T> = { [P in K]: T }
  type Required<T> = { [P in keyof T]-?: T[P] }
`
const builtin = new Map([
  [typeUtils, 'export type DrainOuterGeneric<T> = [T] extends [unknown] ? T : never'],
  ['/globals.d.ts', globals],
])

/** Compiles the folders in one program. */
export function compileConsumers(
  folders: Readonly<Record<string, ReadonlyMap<string, string>>>,
): Map<string, Compiled> {
  const { createProgram } = typescript()
  const texts = new Map(builtin)
  for (const [folder, files] of Object.entries(folders)) {
    for (const [name, text] of files) texts.set(`/${folder}/${name}`, text)
  }
  const roots = Object.keys(folders).flatMap((folder) => [`/${folder}/consumer.ts`, `/${folder}/index.ts`])
  const program = createProgram(['/globals.d.ts', ...roots], options, hostOf(texts))
  const checker = program.getTypeChecker()
  return new Map(
    Object.keys(folders).map((folder) => {
      const consumer = program.getSourceFile(`/${folder}/consumer.ts`)!
      const index = program.getSourceFile(`/${folder}/index.ts`)!
      const lines = program
        .getSemanticDiagnostics(consumer)
        .map(({ start }) => consumer.getLineAndCharacterOfPosition(start!).line)
      const exports = checker.getExportsOfModule(checker.getSymbolAtLocation(index)!)
      const exported = exports.filter((symbol) => declarationOf(checker, symbol) !== undefined).map(({ name }) => name)
      return [folder, { errors: new Set(lines), exported: new Set(exported) }]
    }),
  )
}

/** The compiler also creates a symbol for an export whose declaration does not exist. */
function declarationOf(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Declaration | undefined {
  const target = symbol.flags & typescript().SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return target.declarations?.[0]
}

function hostOf(texts: ReadonlyMap<string, string>): ts.CompilerHost {
  const { createSourceFile, Extension } = typescript()
  const read = (name: string): string | undefined =>
    texts.get(name) ?? (name === kysely ? readFileSync(kysely, 'utf8') : undefined)
  const resolve = (name: string, from: string): string => {
    if (name === 'kysely') return kysely
    return from === kysely ? typeUtils : join(dirname(from), name)
  }
  return {
    getSourceFile: (name, target) => {
      const text = read(name)
      return text === undefined ? undefined : createSourceFile(name, text, target)
    },
    resolveModuleNameLiterals: (names, from) =>
      names.map(({ text }) => {
        const resolvedFileName = resolve(text, from)
        const exists = texts.has(resolvedFileName) || resolvedFileName === kysely
        const extension = resolvedFileName.endsWith('.d.ts') ? Extension.Dts : Extension.Ts
        return { resolvedModule: exists ? { resolvedFileName, extension } : undefined }
      }),
    fileExists: (name) => texts.has(name),
    readFile: read,
    writeFile: () => undefined,
    getDefaultLibFileName: () => '/globals.d.ts',
    getCurrentDirectory: () => '/',
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
  }
}
