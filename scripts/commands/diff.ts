import { rename, rm, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Failure, main } from '../core/failure.ts'
import { severities, type Severity } from '../schema/catalog/model.ts'
import { compare } from '../schema/diff/compare.ts'
import { formatHtml } from '../schema/diff/html.ts'
import { formatFailure, formatMarkdown } from '../schema/diff/markdown.ts'
import { formatText } from '../schema/diff/text.ts'
import { exitCode } from '../schema/diff/verdict.ts'

/**
 * What a change does to the schema. The sides come by environment, `BASE` and `HEAD`, for a URL has a password.
 *
 * Exits with 0; with 1 when the verdict is `--fail-on` or worse; with 2 when there is no report, also with `--json` and
 * `--markdown`, which then say why in their own form.
 */
await main(async () => {
  const { values } = options()
  try {
    const report = await compare({ base: named('BASE'), head: named('HEAD'), sizes: values.sizes })
    const isColoured = process.stdout.isTTY && !process.env['NO_COLOR']
    if (values.html !== undefined) await writePage(values.html, await formatHtml(report))
    if (values.json) await print(`${JSON.stringify(report, null, 2)}\n`)
    else await print(values.markdown ? formatMarkdown(report) : formatText(report, isColoured))
    return exitCode(report, values['fail-on'] as Severity | undefined)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { message, remedy } = error
    if (values.markdown) await print(formatFailure(error))
    if (values.json) await print(`${JSON.stringify({ format: 1, error: { message, remedy } }, null, 2)}\n`)
    throw new Failure(message, remedy, { cause: error, exitCode: error.exitCode === 1 ? 2 : error.exitCode })
  }
})

/** Who has read enough (`| head`) is told nothing; who cannot keep it (a full disk) has no report. */
async function print(text: string): Promise<void> {
  const { code } = await new Promise<Partial<NodeJS.ErrnoException>>((resolve) => {
    process.stdout.once('error', resolve).write(text, (error) => resolve(error ?? {}))
  })
  if (code === undefined || code === 'EPIPE') return
  throw new Failure(`the report cannot be written: ${code}`, 'make room where it goes', { exitCode: 2 })
}

function named(name: 'BASE' | 'HEAD'): string | undefined {
  const text = process.env[name]?.trim()
  return text === undefined || text === '' ? undefined : text
}

/** Whole or not at all. */
async function writePage(file: string, page: string): Promise<void> {
  const half = `${file}.partial`
  try {
    await writeFile(half, page)
    await rename(half, file)
  } catch (cause) {
    await rm(half, { force: true })
    throw new Failure(`${file} cannot be written: ${(cause as Error).message}`, 'name a file in a folder that is there', { cause })
  }
}

function options() {
  const flag = { type: 'boolean', default: false } as const
  try {
    const parsed = parseArgs({
      options: {
        'json': flag,
        'markdown': flag,
        'html': { type: 'string' },
        'sizes': { type: 'string' },
        'fail-on': { type: 'string' },
      },
    })
    const limit = parsed.values['fail-on']
    if (limit === undefined || severities.includes(limit as Severity)) return parsed
    throw new Error(`--fail-on=${limit} is no verdict: ${severities.join(', ')}`)
  } catch (cause) {
    const remedy = 'the options are --json, --markdown, --html=<file>, --sizes=<file> and --fail-on=<verdict>'
    throw new Failure((cause as Error).message, remedy, { cause, exitCode: 2 })
  }
}
