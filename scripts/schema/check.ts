import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { adviseDatabase } from './lint/advisors.ts'
import type { Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'
import { generatedFiles, readCurrent } from './generate/files.ts'
import { fromRoot } from '../core/paths.ts'
import { step } from '../core/progress.ts'
import { withScratchDatabase } from '../migrate/scratch-database.ts'
import { lintMigrations } from './lint/squawk.ts'

/** One thing that is checked: what is wrong, a line each, and the command or deed that mends it. */
interface Check {
  readonly title: string
  readonly remedy: string
  readonly findings: (target: Target) => Promise<string[]>
}

const checks: readonly Check[] = [
  { title: 'types compile', remedy: 'correct the lines above', findings: () => compile() },
  {
    title: 'migrations pass squawk',
    remedy: 'make the statement safe, or write `-- squawk-ignore <rule>: <reason>` above it',
    findings: async () =>
      (await lintMigrations()).map(
        ({ file, line, rule, message, help }) => `${file}:${line} ${rule}: ${message}${help ? ` (${help})` : ''}`,
      ),
  },
  ...generatedFiles.map((file) => ({
    title: `${file.path} is what \`make ${file.name}\` writes`,
    remedy: `run \`make ${file.name}\` and commit ${file.path}`,
    findings: async (target: Target) => {
      const current = await readCurrent(file)
      return firstDifference(current, await file.generate(target, current))
    },
  })),
  {
    title: "Supabase's advisors find nothing",
    remedy: 'correct the migration that makes the object',
    findings: async (target) =>
      (await adviseDatabase(target)).map(({ name, level, object, message }) => `${level} ${name} ${object}: ${message}`),
  },
]

/** `make check`: runs all checks and returns the exit code. */
export async function check(): Promise<number> {
  const failed: string[] = []
  await withScratchDatabase(async (target) => {
    for (const { title, remedy, findings } of checks) {
      try {
        await step(title, async () => {
          const found = await findings(target)
          if (found.length > 0) throw new Failure(found.join('\n'), remedy)
        })
      } catch (error) {
        if (!(error instanceof Failure) || error.exitCode !== 1) throw error
        process.stderr.write(`${indent(error.message)}\n  → ${error.remedy}\n`)
        failed.push(title)
      }
    }
  })
  process.stdout.write(`\nchecks: ${checks.length - failed.length} passed, ${failed.length} failed\n`)
  return failed.length > 0 ? 1 : 0
}

async function compile(): Promise<string[]> {
  try {
    await promisify(execFile)(process.execPath, [fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '--noEmit', '-p', fromRoot()])
    return []
  } catch (error) {
    const { signal, stdout } = error as { signal?: NodeJS.Signals; stdout: string }
    if (signal) throw new Failure(`the type check was stopped by ${signal}`, 'run it again, with more time', { exitCode: 130 })
    return stdout.trim().split('\n')
  }
}

/** Enough to see what is stale; the command that mends it shows the rest through git. */
function firstDifference(current: string, generated: string): string[] {
  if (current === generated) return []
  const [was, is] = [current.split('\n'), generated.split('\n')]
  const line = is.findIndex((text, index) => text !== was[index])
  const at = line === -1 ? is.length : line
  return [`line ${at + 1} differs`, `- ${was[at] ?? '(end of file)'}`, `+ ${is[at] ?? '(end of file)'}`]
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
