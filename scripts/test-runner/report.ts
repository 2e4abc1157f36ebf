import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import process from 'node:process'
import cliProgress from 'cli-progress'
import { fromRoot, root } from '../core/paths.ts'
import { seconds } from '../core/progress.ts'
import { toSources } from './source-map.ts'
import type { FailedAssertion, FileResult } from './tap-file.ts'

export interface Progress {
  readonly finished: (result: FileResult) => void
  readonly stop: () => void
}

/** Shows a progress bar with the last finished file on a terminal; elsewhere prints a line for each failed file. */
export function showProgress(total: number): Progress {
  // Some containers have a terminal of width 0, on which the bar would never stop drawing.
  if (!process.stderr.isTTY || !(process.stderr.columns > 0)) {
    return {
      finished: ({ failed, failure, source }) => {
        if (failure) process.stdout.write(`not ok ${source}: ${failed} failed, first: ${oneLine(failure.title)}\n`)
      },
      stop: () => undefined,
    }
  }
  const bar = new cliProgress.SingleBar(
    { format: '[{bar}] {value} of {total} files, {failed} failed, {name}', hideCursor: true, clearOnComplete: true },
    cliProgress.Presets.legacy,
  )
  let failed = 0
  bar.start(total, 0, { failed, name: '' })
  return {
    finished: ({ failure, name }) => bar.increment(1, { failed: failure ? ++failed : failed, name }),
    stop: () => bar.stop(),
  }
}

/** The final report: for each failed file its first failed assertion and the command that runs it again, then the totals. */
export function formatReport(results: readonly FileResult[], rerun: (result: FileResult) => string): string {
  const failed = results.filter(({ failure }) => failure)
  const [pass, fail, skip] = (['passed', 'failed', 'skipped'] as const).map((kind) => sum(results.map((result) => result[kind])))
  const counts = Object.entries({ total: pass! + fail! + skip!, pass, fail, skip }).filter(([, count]) => count !== 0)
  const lines = failed.flatMap((result) => [
    '',
    `${result.source}: ${result.failed} failed and ${result.passed} passed, the first failure:`,
    ...formatAssertion(result.failure!).map((line) => `    ${line}`),
    `  run it again: ${rerun(result)}`,
    `  full output: ${relative(root, result.log)}`,
  ])
  if (failed.length > 0) lines.unshift('', `${failed.length} of ${results.length} files failed`)
  return [
    ...lines,
    '',
    // The format of tap, which CI reads.
    `# { ${counts.map(([name, count]) => `${name}: ${count}`).join(', ')} }`,
  ].join('\n')
}

/** The maximum number of lines per failure; the log file has all. */
const shownLines = 20

function formatAssertion({ diagnostics, title }: FailedAssertion): string[] {
  const { at, diff, stack, stderr, ...rest } = diagnostics as Record<string, unknown>
  const place = [placeOf(at), placeInTest(stack)].find((each) => each?.startsWith('test/')) ?? placeOf(at)
  const more = diff ?? stderr ?? details(rest)
  const lines = toSources(`${more || lineAt(place)}`).split('\n').filter((line) => line.trim() !== '')
  const shown = lines.length > shownLines ? [...lines.slice(0, shownLines), `(${lines.length - shownLines} more lines)`] : lines
  return [`${place ? `${place} ` : ''}${oneLine(title)}`, ...shown]
}

function placeOf(at: unknown): string | undefined {
  const { columnNumber, fileName, lineNumber } = (at ?? {}) as Record<string, unknown>
  return typeof fileName === 'string' ? toSources(`${fileName}:${lineNumber}:${columnNumber}`) : undefined
}

/** The source line of an assertion without diagnostics, such as `t.ok()`. */
function lineAt(place: string | undefined): string {
  const [file, line] = place?.split(':') ?? []
  return file === undefined ? '' : (readFileSync(fromRoot(file), 'utf8').split('\n')[Number(line) - 1]?.trim() ?? '')
}

/** The line of the test in the stack of an error that was thrown elsewhere. */
const placeInTest = (stack: unknown): string | undefined => /\btest\/[\w./-]+\.ts:\d+:\d+/.exec(toSources(`${stack ?? ''}`))?.[0]

/** The found and expected values of an assertion, or the fields of an error. */
function details(diagnostics: Readonly<Record<string, unknown>>): string {
  return Object.entries(diagnostics)
    .filter(([name]) => !['compare', 'duration', 'source', 'tapCaught'].includes(name))
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : (messageOf(value) ?? JSON.stringify(value))}`)
    .join('\n')
}

/** The message of a nested error. */
const messageOf = (value: unknown): string | undefined => (value as { message?: string } | null)?.message

/** Lists the slowest files. */
export function formatSlowest(results: readonly FileResult[], count: number): string {
  const slowest = [...results].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, count)
  return slowest.map(({ milliseconds, source }) => `${seconds(milliseconds).padStart(7)}  ${source}`).join('\n')
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, ' ')
