import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { fromRoot, root } from '../../../core/paths.ts'

/** A way into the package, and the source behind it. */
export interface Entry {
  readonly name: string
  readonly file: string
}

/** What `exports` of package.json says, the code of it. */
export function entries(): Entry[] {
  const { name, exports } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as {
    name: string
    exports: Record<string, string>
  }
  return Object.entries(exports)
    .filter(([, file]) => file.endsWith('.js'))
    .map(([path, file]) => ({
      name: name + path.slice(1),
      file: fromRoot(file.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')),
    }))
}

/**
 * The package's sources as the compiler sees them, as strictly as tsconfig.json says.
 *
 * @param extra more sources, by path, that need not be on the disk.
 */
export function compile(files: readonly string[], extra: ReadonlyMap<string, string> = new Map()): ts.Program {
  const { config } = ts.readConfigFile(fromRoot('tsconfig.json'), ts.sys.readFile)
  const all = [...files, ...extra.keys()]
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: all }, ts.sys, root)
  const host = ts.createCompilerHost({ ...options, incremental: false }, true)
  const { readFile, fileExists } = host
  host.readFile = (path) => extra.get(path) ?? readFile(path)
  host.fileExists = (path) => extra.has(path) || fileExists(path)
  // An example may name what it does not use any more.
  return ts.createProgram(all, { ...options, incremental: false, noUnusedLocals: false }, host)
}

/** What is wrong with a file, a line each, with the text that it is about. */
export function errorsIn(program: ts.Program, path: string): string[] {
  return ts.getPreEmitDiagnostics(program, program.getSourceFile(path)).map(({ file, start = 0, messageText }) => {
    const line = file?.text.slice(file.text.lastIndexOf('\n', start) + 1).split('\n')[0]
    return `${ts.flattenDiagnosticMessageText(messageText, ' ')}: ${line?.trim()}`
  })
}
