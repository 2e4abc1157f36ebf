import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { fromRoot } from '../../core/paths.ts'
import { step } from '../../core/progress.ts'
import { rounds, show, spread } from '../compare.ts'
import type { Suite } from '../compare.ts'

const run = promisify(execFile)

/** Measures each import in a new process, as at the start of a service. */
export async function benchmarkImport(): Promise<Suite> {
  await run(process.execPath, [fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', fromRoot('tsconfig.build.json')])
  const measured = await step('importing', () =>
    rounds(25, {
      theirs: () => timeImport(`await import('kysely'); await import('pg')`),
      ours: () => timeImport(`await import('./dist/db/index.js')`),
    }),
  )
  const [ours, theirs] = [spread(measured.ours), spread(measured.theirs)]
  const extra = spread(measured.ours.map((value, round) => value - measured.theirs[round]!))
  return {
    name: 'import',
    title: 'Importing the package',
    explanation:
      'Each import runs in a new process. The package imports `kysely` and `pg`; the aim is about the additional time.',
    results: [
      {
        what: 'leo-saas-schema',
        against: 'kysely and pg',
        figures: `${show(ours, 0)} ms against ${show(theirs, 0)} ms, ${show(extra, 1)} ms more`,
        ratio: spread(measured.ours.map((value, round) => value / measured.theirs[round]!)),
        aim: { is: 'at most', value: 15, unit: 'ms more', measured: extra },
      },
    ],
  }
}

async function timeImport(imports: string): Promise<number> {
  const code = `const started = performance.now(); ${imports}; console.log(performance.now() - started)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: fromRoot() })
  return Number(stdout)
}
