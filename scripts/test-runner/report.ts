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

/** On a terminal a bar, n of N files and the one that ended last; elsewhere a line for each failed file. */
export function showProgress(total: number): Progress {
  // On a terminal of no width, which some containers have, the bar would draw for ever.
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

/** The list at the end: of each failed file the first failed assertion and the command that runs it again; then the sum. */
export function formatReport(results: readonly FileResult[], rerun: (result: FileResult) => string): string {
  const failed = results.filter(({ failure }) => failure)
  const [pass, fail, skip] = (['passed', 'failed', 'skipped'] as const).map((kind) => sum(results.map((result) => result[kind])))
  const counts = Object.entries({ total: pass! + fail! + skip!, pass, fail, skip }).filter(([, count]) => count !== 0)
  const lines = failed.flatMap((result) => [
    '',
    `${result.source}: ${result.failed} failed and ${result.passed} passed, the first failure:`,
    ...formatAssertion(result.failure!).map((line) => `    ${line}`),
    `  run it again: ${rerun(result)}`,
    `  everything it printed: ${relative(root, result.log)}`,
  ])
  if (failed.length > 0) lines.unshift('', `${failed.length} of ${results.length} files failed`)
  return [
    ...lines,
    '',
    // CI reads this line, and it is how tap prints it.
    `# { ${counts.map(([name, count]) => `${name}: ${count}`).join(', ')} }`,
  ].join('\n')
}

/** Enough of the differences to see what is wrong; the file has the rest. */
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

/** Where there is nothing else to show: of an assertion that a value is true. */
function lineAt(place: string | undefined): string {
  const [file, line] = place?.split(':') ?? []
  return file === undefined ? '' : (readFileSync(fromRoot(file), 'utf8').split('\n')[Number(line) - 1]?.trim() ?? '')
}

/** An error that was thrown elsewhere has the line of the test further down. */
const placeInTest = (stack: unknown): string | undefined => /\btest\/[\w./-]+\.ts:\d+:\d+/.exec(toSources(`${stack ?? ''}`))?.[0]

/** What the assertion found and wanted, or the error's own fields. */
function details(diagnostics: Readonly<Record<string, unknown>>): string {
  return Object.entries(diagnostics)
    .filter(([name]) => !['compare', 'duration', 'source', 'tapCaught'].includes(name))
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : (messageOf(value) ?? JSON.stringify(value))}`)
    .join('\n')
}

/** Of an error that caused another. */
const messageOf = (value: unknown): string | undefined => (value as { message?: string } | null)?.message

/** The slowest files, for the question where the time goes. */
export function formatSlowest(results: readonly FileResult[], count: number): string {
  const slowest = [...results].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, count)
  return slowest.map(({ milliseconds, source }) => `${seconds(milliseconds).padStart(7)}  ${source}`).join('\n')
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, ' ')
