import { performance } from 'node:perf_hooks'
import { main } from './lib/failure.ts'
import { migrate } from './lib/migrator.ts'
import { seconds } from './lib/progress.ts'
import { resolveTarget } from './lib/target.ts'

await main(async () => {
  const target = await resolveTarget()
  const started = performance.now()
  const { applied } = await migrate(target, { say: console.log })
  const took = seconds(performance.now() - started)
  console.log(applied.length === 0 ? `${target.label}: nothing to apply` : `${target.label}: ${applied.length} applied (${took})`)
})
