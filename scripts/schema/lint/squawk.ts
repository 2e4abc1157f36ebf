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
  /** Relative to the repository. */
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly message: string
  readonly help?: string
}

/**
 * A migration down to the end of its up section, one character a byte: squawk and the parser both count bytes.
 * Until a `Finding` is made of them, lines and columns start at 0, as squawk has them.
 */
interface Source {
  readonly file: string
  readonly text: string
  readonly transaction: boolean
  readonly statements: readonly Statement[]
}

/** Offsets, from the statement's first token on. */
interface Statement {
  readonly start: number
  readonly end: number
}

/** A line `-- squawk-ignore <rule>: <reason>`, or one that tries to be: then without a rule. */
interface Ignore {
  readonly line: number
  readonly rule: string | undefined
  /** What begins right below, further such lines and comments aside. */
  readonly statement: Statement | undefined
}

/** As squawk's JSON reporter prints it. */
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
 * Runs squawk over the up section of every migration. A finding is silenced right above its statement only, with a
 * reason: `-- squawk-ignore <rule>: <reason>`. Without a reason, or with nothing to silence, that line is a finding.
 */
export async function lintMigrations(folder = migrationsFolder): Promise<Finding[]> {
  const sources = await Promise.all((await readMigrations(folder)).map(readSource))
  const violations = await runSquawk(sources)
  return sources.flatMap((source) =>
    judge(source, violations.filter(({ file }) => file === basename(source.file))).sort((a, b) => a.line - b.line),
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

function judge(source: Source, violations: readonly Violation[]): Finding[] {
  const file = relative(root, source.file)
  const offset = offsets(source.text)
  const ignores = readIgnores(source)
  const silences = ({ rule, statement }: Ignore, violation: Violation) => {
    if (rule !== violation.rule_name || statement === undefined) return false
    const position = offset(violation.line, violation.column)
    return statement.start <= position && position < statement.end
  }

  const loud = violations.filter((violation) => !ignores.some((ignore) => silences(ignore, violation)))
  const idle = ignores.filter((ignore) => !violations.some((violation) => silences(ignore, violation)))
  return [
    ...loud.map(({ line, rule_name: rule, message, help }) => ({
      file,
      line: line + 1,
      rule,
      message,
      ...(help === null ? {} : { help }),
    })),
    ...idle.map(({ line, rule }) => ({
      file,
      line: line + 1,
      rule: 'squawk-ignore',
      message:
        rule === undefined
          ? 'Silences nothing without a rule and a reason.'
          : `Silences nothing: the statement right below has no finding of ${rule}.`,
      help: 'Write `-- squawk-ignore <rule>: <reason>`, one rule a line, right above the statement, or remove it.',
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

/** What squawk gets to read: without suppressions of its own kind, which need no reason and cover one line only. */
function squawkInput({ text, transaction }: Source): string {
  const neutral = text.replaceAll('squawk-', 'squawk_')
  if (transaction) return neutral
  // The statement stands alone, so no `set local lock_timeout` can precede it.
  return `${neutral}\n-- squawk-disable-assume-in-transaction\n-- squawk-ignore-file require-lock-timeout\n`
}

async function runSquawk(sources: readonly Source[]): Promise<Violation[]> {
  // Given no file, squawk reads standard input.
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
      // It exits 1 on findings as on trouble: the output tells them apart.
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
      `squawk could not run: ${stderr.trim() || stdout.trim() || 'it said nothing'}`,
      'correct .squawk.toml, or run `npm ci` on a platform that squawk-cli has a binary for',
      { cause },
    )
  }
}
