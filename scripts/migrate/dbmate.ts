import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { resolveBinary } from 'dbmate'
import { Failure } from '../core/failure.ts'
import { root } from '../core/paths.ts'

export interface DbmateRun {
  readonly url: string
  readonly folder: string
  /** Kills dbmate by SIGKILL: it handles no signal itself. */
  readonly signal: AbortSignal
  /** Called with a file's name before dbmate starts on it. */
  readonly onFile: (file: string) => void
}

export interface DbmateError {
  readonly message: string
  readonly sqlState: string | undefined
  /** From 1, the directive's own line. Known only where the server names a position: not inside `do $$`. */
  readonly line: number | undefined
  /** The name of the file that it was applying. */
  readonly file: string | undefined
}

/**
 * Runs `dbmate migrate` (never `up`, which creates a database of a misspelled name) or `dbmate rollback`.
 *
 * The binary itself, not `node_modules/.bin/dbmate`: that is a Node script which reports a killed dbmate as success and
 * whose own end leaves dbmate running. Its output is read here, so that an orphan ends by SIGPIPE when it announces the
 * next file: a killed run never starts another migration.
 */
export async function runDbmate(command: 'migrate' | 'rollback', run: DbmateRun): Promise<DbmateError | undefined> {
  const flags = ['--env-file', '.dbmate.env', '--migrations-dir', run.folder, command]
  const child = spawn(binary(), command === 'migrate' ? [...flags, '--strict'] : flags, {
    cwd: root,
    env: environment(run.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => child.kill('SIGKILL')
  if (run.signal.aborted) kill()
  run.signal.addEventListener('abort', kill)

  let file: string | undefined
  createInterface(child.stdout).on('line', (line) => {
    // "Applied:" is ignored: dbmate prints it for a failed file, too.
    const [, name] = /^(?:Applying|Rolling back): (.+)$/.exec(line) ?? []
    if (name !== undefined) run.onFile((file = name))
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    if (code === 0) return undefined
    const text = errors.trim() || (killedBy ? `dbmate was killed (${killedBy})` : `dbmate ended with ${code}`)
    return { ...parseError(text), file }
  } finally {
    run.signal.removeEventListener('abort', kill)
  }
}

function binary(): string {
  try {
    return resolveBinary()
  } catch (cause) {
    throw new Failure(`dbmate is not installed for ${process.platform}-${process.arch}`, 'run `npm ci`', { cause })
  }
}

/** No variable of the user's shell may change what dbmate does, except those that locate a password or certificate. */
function environment(url: string): NodeJS.ProcessEnv {
  const kept = ['HOME', 'PGPASSWORD', 'PGPASSFILE', 'SSL_CERT_FILE', 'SSL_CERT_DIR']
  const entries = kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return { ...Object.fromEntries(entries), DATABASE_URL: url }
}

/** `Error: line: 4, column: 1, position: 41: pq: syntax error at or near "selct" at position 4:1 (42601)` */
function parseError(text: string): Omit<DbmateError, 'file'> {
  const [, line, rest = text] =
    /^(?:Error: )?(?:line: (\d+), column: \d+, position: \d+: )?(?:pq: )?(.*)$/s.exec(text) ?? []
  const [, message = rest, sqlState] = /^(.*?)(?: at position \d+:\d+)? \(([0-9A-Z]{5})\)$/s.exec(rest) ?? []
  return { message, sqlState, line: line === undefined ? undefined : Number(line) }
}
