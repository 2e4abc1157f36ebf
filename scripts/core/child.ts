import { spawn } from 'node:child_process'
import { extname } from 'node:path'
import process from 'node:process'
import { Failure } from './failure.ts'
import { fromRoot } from './paths.ts'

interface ProgramOptions {
  /** The repository's folder without it. */
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program on this terminal. Returns its exit code. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<number> {
  const child = spawn(program, args, { cwd: fromRoot(), ...options, stdio: 'inherit' })
  // Ctrl-C reaches the child by the terminal, and this process waits for its end.
  const forward = (name: NodeJS.Signals) => void (name === 'SIGTERM' && child.kill(name))
  process.on('SIGINT', forward).on('SIGTERM', forward)
  return new Promise<number>((resolve, reject) => {
    child.on('error', (cause) => reject(new Failure(`${program} did not start`, 'run `npm ci`', { cause })))
    child.on('close', (code, signal) => resolve(signal === 'SIGINT' ? 130 : (code ?? 1)))
  }).finally(() => process.off('SIGINT', forward).off('SIGTERM', forward))
}

/** Runs a script of this repository, named without its ending, in a process of its own. */
export function runScript(name: string, args: readonly string[]): Promise<number> {
  const ending = extname(import.meta.url)
  const loader = ending === '.ts' ? ['--import', 'tsx'] : []
  return runProgram(process.execPath, [...loader, fromRoot(...(ending === '.ts' ? [] : ['build']), `${name}${ending}`), ...args])
}
