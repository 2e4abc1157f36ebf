import { spawn } from 'node:child_process'
import { extname } from 'node:path'
import process from 'node:process'
import { Failure } from './failure.ts'
import { fromRoot } from './paths.ts'

interface ProgramOptions {
  /** Default: the repository's folder. */
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program with the standard streams of this process. Returns its exit code. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<number> {
  const child = spawn(program, args, { cwd: fromRoot(), ...options, stdio: 'inherit' })
  // The terminal also sends Ctrl-C to the child; this process waits for the child to end.
  const forward = (name: NodeJS.Signals) => void (name === 'SIGTERM' && child.kill(name))
  process.on('SIGINT', forward).on('SIGTERM', forward)
  return new Promise<number>((resolve, reject) => {
    child.on('error', (cause) => reject(new Failure(`${program} did not start`, 'run `npm ci`', { cause })))
    child.on('close', (code, signal) => resolve(signal === 'SIGINT' ? 130 : (code ?? 1)))
  }).finally(() => process.off('SIGINT', forward).off('SIGTERM', forward))
}

/** Runs a script of this repository in a separate process. Its name has no extension. */
export function runScript(name: string, args: readonly string[]): Promise<number> {
  const extension = extname(import.meta.url)
  const isTypescript = extension === '.ts'
  const loader = isTypescript ? ['--import', 'tsx'] : []
  return runProgram(process.execPath, [...loader, fromRoot(...(isTypescript ? [] : ['build']), `${name}${extension}`), ...args])
}
