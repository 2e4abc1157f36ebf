import { performance } from 'node:perf_hooks'
import { main } from '../core/failure.ts'
import { migrate } from '../migrate/migrator.ts'
import { seconds } from '../core/progress.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

await main(async () => {
  const target = await resolveTarget()
  const started = performance.now()
  const { applied } = await migrate(target, { say: console.log })
  const result = applied.length === 0 ? 'nothing to apply' : `${applied.length} applied`
  console.log(`${target.label}: ${result} (${seconds(performance.now() - started)})`)
})
