import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { Parser, type Result } from 'tap-parser'
import { fromRoot } from '../core/paths.ts'
import { endGroup, processorSeconds, signalGroup, slowness } from './processes.ts'

/** The result of a test file. */
export interface FileResult {
  /** Without folder and extension. */
  readonly name: string
  /** The path of the source, relative to the repository's folder. */
  readonly source: string
  readonly passed: number
  readonly failed: number
  /** Skipped or marked as todo. */
  readonly skipped: number
  readonly milliseconds: number
  /** The first failed assertion, or the reason why the file failed without one. */
  readonly failure: FailedAssertion | undefined
  /** The path of the file with the full output. */
  readonly log: string
}

export interface FailedAssertion {
  readonly title: string
  readonly diagnostics: Readonly<Record<string, unknown>>
}

export interface TestFile {
  readonly name: string
  readonly source: string
  readonly compiled: string
}

/** The limits for a test without output: `idleMs` if it uses no processor time, `silentMs` if it does. The load extends both. */
const limits = { idleMs: 10 * 60_000, silentMs: 30 * 60_000 }

/**
 * Runs a compiled test file in a separate process group. The runner of tap is not used: it loads hooks into each process,
 * which takes four times as long as starting the file.
 */
export async function runFile(file: TestFile, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<FileResult> {
  const started = performance.now()
  const log = fromRoot('build', 'test-output', file.source.replace(/^test\/(.*)\.test\.ts$/, '$1.tap'))
  mkdirSync(dirname(log), { recursive: true })
  const output = createWriteStream(log)
  const child = spawn(process.execPath, [file.compiled], {
    cwd: fromRoot(),
    // `watchProgress()` limits the time instead.
    env: { ...env, TAP_TIMEOUT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const tap = readTap()
  let errors = ''
  let lastOutput = performance.now()
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    lastOutput = performance.now()
    output.write(chunk)
    tap.parser.write(chunk)
  })
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    lastOutput = performance.now()
    output.write(chunk)
    errors = `${errors}${chunk}`.slice(-4000)
  })
  const watch = watchProgress(child, () => lastOutput)
  const abort = (): void => void endGroup(child.pid!)
  signal.addEventListener('abort', abort, { once: true })
  const ended = await endOf(child)
  signal.removeEventListener('abort', abort)
  const stalled = watch.stop()
  output.end()
  const found = tap.end()
  const isOk = found.ok && ended === 'exit code 0' && stalled === undefined
  const diagnostics = errors === '' ? {} : { stderr: errors }
  const failure = isOk
    ? undefined
    : stalled !== undefined
      ? { title: stalled, diagnostics }
      : (found.failure ?? { title: `it ended with ${ended} and no failed assertion`, diagnostics })
  return {
    ...{ name: file.name, source: file.source, log, failure },
    passed: found.passed,
    skipped: found.skipped,
    failed: failure ? Math.max(found.failed, 1) : 0,
    milliseconds: performance.now() - started,
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', ({ message }) => resolve(message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
    // Ends processes that the file left running, which may keep its output open.
    child.once('exit', () => void endGroup(child.pid!))
  })
}

/** Stops a file that makes no progress. The limits grow with the load: on a busy machine a correct test is slow. */
function watchProgress(child: ChildProcess, lastOutput: () => number): { stop(): string | undefined } {
  let stalled: string | undefined
  let used = 0
  let lastUse = performance.now()
  const timer = setInterval(() => {
    void processorSeconds(child.pid!).then((now) => {
      if (now > used) lastUse = performance.now()
      used = Math.max(now, used)
      const silent = performance.now() - lastOutput()
      const idle = Math.min(performance.now() - lastUse, silent)
      if (idle < limits.idleMs * slowness() && silent < limits.silentMs * slowness()) return
      stalled ??= `no output for ${Math.round(silent / 60_000)} minutes: it was stopped`
      // On this signal tap prints the pending assertions.
      signalGroup(child.pid!, 'SIGALRM')
      setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), 15_000).unref()
    }, () => undefined)
  }, 20_000)
  return {
    stop() {
      clearInterval(timer)
      return stalled
    },
  }
}

interface Tap {
  readonly parser: Parser
  end(): { ok: boolean; passed: number; failed: number; skipped: number; failure: FailedAssertion | undefined }
}

/** Counts the assertions of all levels, but not the summary lines of subtests. */
function readTap(): Tap {
  let [passed, failed, skipped] = [0, 0, 0]
  let failure: FailedAssertion | undefined
  const listen = (parser: Parser): void => {
    let hasAssertions = false
    parser.on('child', (child: Parser) => {
      listen(child)
      child.on('assert', () => (hasAssertions = true))
    })
    parser.on('assert', (result: Result) => {
      const isSum = result.closingTestPoint && hasAssertions
      if (result.closingTestPoint) hasAssertions = false
      const isSkipped = result.todo !== false || result.skip !== false
      const isFailure = !result.ok && !isSkipped
      if (isFailure && !isSum) failed++
      else if (isSkipped) skipped++
      else if (!isSum) passed++
      if (isFailure) failure ??= { title: result.fullname, diagnostics: result.diag ?? {} }
    })
  }
  const parser = new Parser()
  listen(parser)
  return {
    parser,
    end() {
      parser.end()
      return { ok: parser.ok, passed, failed, skipped, failure }
    },
  }
}
