import { performance } from 'node:perf_hooks'
import { main } from './lib/failure.ts'
import { migrate } from './lib/migrator.ts'
import { seconds } from './lib/progress.ts'
import { resolveTarget } from './lib/target.ts'

await main(async () => {
  const target = await resolveTarget()
  const started = performance.now()
  const { applied } = await migrate(target, { say: console.log })
  const result = applied.length === 0 ? 'nothing to apply' : `${applied.length} applied`
  console.log(`${target.label}: ${result} (${seconds(performance.now() - started)})`)
})
