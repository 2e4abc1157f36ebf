import { parseArgs } from 'node:util'
import { main } from '../core/failure.ts'
import { runTests } from '../test-runner/run-tests.ts'

/**
 * Runs the core tests and those that a change has an effect on, `--all` of them, with `--full` the long proofs, or the named
 * ones (`apps`, or several: `apps,tenants`). `--major=15` takes another PostgreSQL, which `make test-matrix` installs.
 */
await main(async () => {
  const { positionals, values } = parseArgs({
    options: { all: { type: 'boolean' }, full: { type: 'boolean' }, major: { type: 'string', default: '17' } },
    allowPositionals: true,
  })
  return runTests({
    scope: values.full ? 'full' : values.all ? 'all' : 'affected',
    names: positionals.flatMap((names) => names.split(',')),
    major: values.major,
  })
})
