import { main } from '../core/failure.ts'
import { status, type MigrationStatus } from '../migrate/migrator.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/** Exits with 0 when all is applied, 3 when some is pending, 1 when `make migrate` would refuse. */
await main(async () => {
  const target = await resolveTarget()
  const found = await status(target)
  for (const { version, name, state } of found) console.log(`${state.padEnd(12)}  ${version}_${name}.sql`)

  const count = (state: MigrationStatus['state']) => found.filter((row) => row.state === state).length
  const states = ['applied', 'pending', 'edited', 'missing', 'out of order'] as const
  const shown = states.filter((state) => state === 'applied' || count(state) > 0)
  console.log(`${target.label}: ${shown.map((state) => `${count(state)} ${state}`).join(', ')}`)

  if (count('edited') + count('missing') + count('out of order') > 0) return 1
  return count('pending') > 0 ? 3 : 0
})
