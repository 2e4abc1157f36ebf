import { LeoCommand } from '../core/command.ts'
import { Failure } from '../core/failure.ts'

const supported = ['15', '16', '17', '18']

export const command = new LeoCommand({
  name: 'test-matrix',
  summary: 'Run the tests on several major versions of PostgreSQL, one after the other',
  example: 'test-matrix majors=15,18',
  exits: { 130: 'interrupted', 143: 'terminated' },
})
  .option('--majors <versions>', 'the major versions, separated by commas or spaces', supported.join(','))
  .option('--file <names>', 'run the named files, separated by commas')
  .run<{ majors: string; file?: string }>(async ({ majors, file = '' }) => {
    const { runTests } = await import('../test-runner/run-tests.ts')
    const chosen = majors.split(/[\s,]+/).filter(Boolean)
    const unknown = chosen.find((major) => !supported.includes(major))
    if (unknown !== undefined) throw new Failure(`majors: ${unknown} is invalid`, `choose from ${supported.join(', ')}`)
    const names = file.split(',').map((name) => name.trim()).filter(Boolean)
    for (const major of chosen) {
      const code = await runTests({ scope: 'all', names, major })
      if (code !== 0) return code
    }
    return 0
  })
