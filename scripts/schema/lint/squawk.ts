import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { parse } from 'libpg-query'
import { Failure } from '../../core/failure.ts'
import { type Migration, migrationsFolder, readMigrations } from '../../migrate/migrations.ts'
import { fromRoot, root } from '../../core/paths.ts'

export interface Finding {
  /** Path relative to the repository. */
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly message: string
  readonly help?: string
}

/**
 * A migration up to the end of its up section, decoded with one character per byte: squawk and the parser count bytes.
 * Lines and columns start at 0, as in squawk's output; in a `Finding` lines start at 1.
 */
interface Source {
  readonly file: string
  readonly text: string
  readonly transaction: boolean
  readonly statements: readonly Statement[]
}

/** Byte offsets of a statement, without the comments before it. */
interface Statement {
  readonly start: number
  readonly end: number
}

/** A line `-- squawk-ignore <rule>: <reason>`. A malformed one has no rule. */
interface Ignore {
  readonly line: number
  readonly rule: string | undefined
  /** The statement that starts directly below, after further comment lines. */
  readonly statement: Statement | undefined
}

/** A finding in the output of squawk's JSON reporter. */
interface Violation {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
  readonly help: string | null
  readonly rule_name: string
}

const run = promisify(execFile)

/**
 * Runs squawk over the up section of every migration. A finding is suppressed by a line directly above its statement,
 * with a reason: `-- squawk-ignore <rule>: <reason>`. Such a line without a reason, or without a matching finding, is a
 * finding itself.
 */
export async function lintMigrations(folder = migrationsFolder): Promise<Finding[]> {
  const sources = await Promise.all((await readMigrations(folder)).map(readSource))
  const violations = await runSquawk(sources)
  return sources.flatMap((source) =>
    findingsIn(source, violations.filter(({ file }) => file === basename(source.file))).sort((a, b) => a.line - b.line),
  )
}

async function readSource({ file, source, transaction }: Migration): Promise<Source> {
  const up = source.slice(0, source.search(/^-- migrate:down/m))
  const { stmts = [] } = await parse(up)
  return {
    file,
    text: Buffer.from(up).toString('latin1'),
    transaction,
    statements: stmts.map(({ stmt_location: start = 0, stmt_len = Infinity }) => ({ start, end: start + stmt_len })),
  }
}

function findingsIn(source: Source, violations: readonly Violation[]): Finding[] {
  const file = relative(root, source.file)
  const offset = offsets(source.text)
  const ignores = readIgnores(source)
  const suppresses = ({ rule, statement }: Ignore, violation: Violation) => {
    if (rule !== violation.rule_name || statement === undefined) return false
    const position = offset(violation.line, violation.column)
    return statement.start <= position && position < statement.end
  }

  const reported = violations.filter((violation) => !ignores.some((ignore) => suppresses(ignore, violation)))
  const unused = ignores.filter((ignore) => !violations.some((violation) => suppresses(ignore, violation)))
  return [
    ...reported.map(({ line, rule_name: rule, message, help }) => ({
      file,
      line: line + 1,
      rule,
      message,
      ...(help === null ? {} : { help }),
    })),
    ...unused.map(({ line, rule }) => ({
      file,
      line: line + 1,
      rule: 'squawk-ignore',
      message:
        rule === undefined
          ? 'The suppression has no effect: it lacks a rule or a reason.'
          : `The suppression has no effect: the statement directly below has no finding of ${rule}.`,
      help: 'Write `-- squawk-ignore <rule>: <reason>` directly above the statement, one rule per line, or remove it.',
    })),
  ]
}

function readIgnores({ text, statements }: Source): Ignore[] {
  const lines = text.split('\n')
  const offset = offsets(text)
  return lines.flatMap((content, line) => {
    if (!/(--|\/\*).*\bsquawk-(ignore|disable)/.test(content)) return []
    const rule = /^\s*--\s*squawk-ignore\s+([a-z-]+):\s*\S/.exec(content)?.[1]
    const below = lines.findIndex((other, at) => at > line && !/^\s*--/.test(other))
    const target = offset(below, lines[below]?.search(/\S|$/) ?? 0)
    return [{ line, rule, statement: statements.find(({ start }) => start === target) }]
  })
}

function offsets(text: string): (line: number, column: number) => number {
  const starts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
  return (line, column) => (starts[line] ?? text.length) + column
}

/** The text for squawk. Its own suppressions are disabled: they need no reason and cover one line only. */
function squawkInput({ text, transaction }: Source): string {
  const withoutSuppressions = text.replaceAll('squawk-', 'squawk_')
  if (transaction) return withoutSuppressions
  // The file has a single statement, so no `set local lock_timeout` can precede it.
  return `${withoutSuppressions}\n-- squawk-disable-assume-in-transaction\n-- squawk-ignore-file require-lock-timeout\n`
}

async function runSquawk(sources: readonly Source[]): Promise<Violation[]> {
  // Without file arguments squawk reads standard input.
  if (sources.length === 0) return []
  const folder = await mkdtemp(join(tmpdir(), 'squawk-'))
  try {
    const files = sources.map(({ file }) => basename(file))
    await Promise.all(
      sources.map((source) => writeFile(join(folder, basename(source.file)), squawkInput(source), 'latin1')),
    )
    const squawk = fromRoot('node_modules', 'squawk-cli', 'js', 'bin', 'squawk')
    const { stdout, stderr } = await run(
      process.execPath,
      [squawk, '--config', fromRoot('.squawk.toml'), '--reporter', 'json', ...files],
      { cwd: folder, maxBuffer: Infinity },
      // It exits with 1 both on findings and on its own failure, so the output is parsed in any case.
    ).catch((error: { stdout: string; stderr: string }) => error)
    return parseReport(stdout, stderr)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function parseReport(stdout: string, stderr: string): Violation[] {
  try {
    return JSON.parse(stdout) as Violation[]
  } catch (cause) {
    throw new Failure(
      `squawk could not run: ${stderr.trim() || stdout.trim() || 'no output'}`,
      'correct .squawk.toml, or run `npm ci` on a platform that squawk-cli has a binary for',
      { cause },
    )
  }
}
