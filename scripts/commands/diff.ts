import { rename, rm, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { LeoCommand, Option } from '../core/command.ts'
import { Failure } from '../core/failure.ts'
import { severities, type Severity } from '../schema/catalog/model.ts'

interface Options {
  readonly json?: boolean
  readonly markdown?: boolean
  readonly html?: string
  readonly sizes?: string
  readonly failOn?: Severity
}

export const command = new LeoCommand({
  name: 'diff',
  summary: 'Show what a change does to schema, access, locks and types',
  example: 'diff BASE=origin/main html=report.html fail_on=breaking',
  exits: { 0: 'a report', 1: 'a report, and the verdict is that of fail_on or worse', 2: 'no report: an error' },
  // Environment variables, not options: a URL contains a password, and other users can read arguments.
  reads: ['BASE', 'HEAD', 'DATABASE_URL'],
  usageExitCode: 2,
})
  .flag('json', 'print JSON')
  .flag('markdown', 'print Markdown')
  .option('--html <path>', 'write the report to this file, as a page')
  .option('--sizes <path>', 'the file that make sizes wrote')
  .addOption(new Option('--fail-on <verdict>', 'exit with 1 when the verdict is this or worse').choices(severities))
  .run<Options>(async ({ json, markdown, html, sizes, failOn }) => {
    const { stepOnTerminal } = await import('../core/progress.ts')
    const { compare } = await import('../schema/diff/compare.ts')
    const { formatHtml } = await import('../schema/diff/html.ts')
    const { formatFailure, formatMarkdown } = await import('../schema/diff/markdown.ts')
    const { formatText } = await import('../schema/diff/text.ts')
    const { exitCode } = await import('../schema/diff/verdict.ts')
    try {
      const sides = { base: readSide('BASE'), head: readSide('HEAD'), sizes }
      const report = await stepOnTerminal('applying and comparing both sides', () => compare(sides))
      const isColoured = process.stdout.isTTY && !process.env['NO_COLOR']
      if (html !== undefined) await writePage(html, await formatHtml(report))
      if (json) await print(`${JSON.stringify(report, null, 2)}\n`)
      else await print(markdown ? formatMarkdown(report) : formatText(report, isColoured))
      return exitCode(report, failOn)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const { message, remedy } = error
      if (markdown) await print(formatFailure(error))
      if (json) await print(`${JSON.stringify({ format: 1, error: { message, remedy } }, null, 2)}\n`)
      throw new Failure(message, remedy, { cause: error, exitCode: error.exitCode === 1 ? 2 : error.exitCode })
    }
  })

/** A closed pipe (`| head`) is not an error; a full disk is. */
async function print(text: string): Promise<void> {
  const { code } = await new Promise<Partial<NodeJS.ErrnoException>>((resolve) => {
    process.stdout.once('error', resolve).write(text, (error) => resolve(error ?? {}))
  })
  if (code === undefined || code === 'EPIPE') return
  throw new Failure(`the report cannot be written: ${code}`, 'free disk space and run it again', { exitCode: 2 })
}

function readSide(name: 'BASE' | 'HEAD'): string | undefined {
  const text = process.env[name]?.trim()
  return text === undefined || text === '' ? undefined : text
}

/** Writes the whole page, or no file. */
async function writePage(file: string, page: string): Promise<void> {
  const partial = `${file}.partial`
  try {
    await writeFile(partial, page)
    await rename(partial, file)
  } catch (cause) {
    await rm(partial, { force: true })
    throw new Failure(`${file} cannot be written: ${(cause as Error).message}`, 'name a file in a folder that exists', { cause })
  }
}
