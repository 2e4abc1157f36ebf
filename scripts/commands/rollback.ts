import process from 'node:process'
import { Failure, main } from '../core/failure.ts'
import { fileName } from '../migrate/migrations.ts'
import { rollback } from '../migrate/migrator.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

await main(async () => {
  const target = await resolveTarget()
  if (!target.isLocal && process.env['CONFIRM'] !== target.database) {
    throw new Failure(
      `${target.label} is not on this machine`,
      `if you mean it, run make rollback CONFIRM=${target.database}`,
    )
  }
  const undone = await rollback(target, { say: console.log })
  console.log(`${target.label}: ${undone ? `${fileName(undone)} is undone` : 'nothing to undo'}`)
})
