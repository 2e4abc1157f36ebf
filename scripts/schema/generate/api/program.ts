import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { fromRoot, root } from '../../../core/paths.ts'

/** An entry point of the package, and its source file. */
export interface Entry {
  readonly name: string
  readonly file: string
}

/** The code entry points in `exports` of package.json. */
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
 * Compiles the sources of the package with the options of tsconfig.json.
 *
 * @param extra additional sources that need not exist on the disk: path → text.
 */
export function compile(files: readonly string[], extra: ReadonlyMap<string, string> = new Map()): ts.Program {
  const { config } = ts.readConfigFile(fromRoot('tsconfig.json'), ts.sys.readFile)
  const all = [...files, ...extra.keys()]
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: all }, ts.sys, root)
  const host = ts.createCompilerHost({ ...options, incremental: false }, true)
  const { readFile, fileExists } = host
  host.readFile = (path) => extra.get(path) ?? readFile(path)
  host.fileExists = (path) => extra.has(path) || fileExists(path)
  // Examples may declare variables that they do not use.
  return ts.createProgram(all, { ...options, incremental: false, noUnusedLocals: false }, host)
}

/** The compiler errors of a file, one line each, with the source line. */
export function errorsIn(program: ts.Program, path: string): string[] {
  return ts.getPreEmitDiagnostics(program, program.getSourceFile(path)).map(({ file, start = 0, messageText }) => {
    const line = file?.text.slice(file.text.lastIndexOf('\n', start) + 1).split('\n')[0]
    return `${ts.flattenDiagnosticMessageText(messageText, ' ')}: ${line?.trim()}`
  })
}
