import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { isConfirmedOrLocal, previewLine } from '../core/confirm.ts'

export const command = new LeoCommand({
  name: 'rollback',
  summary: 'Undo the newest migration, or every migration newer than a version',
  example: 'rollback to=20260101000000 CONFIRM=postgres',
  reads: ['DATABASE_URL', 'CONFIRM'],
})
  .option('--to <version>', 'the version to roll back to; a down section refuses when rows would be lost')
  .run<{ to?: string }>(async ({ to }, { makeLine }) => {
    const { resolveTarget } = await import('../postgres/resolve-target.ts')
    const { fileName } = await import('../migrate/migrations.ts')
    const { previewRollback, rollback } = await import('../migrate/migrator.ts')
    const target = await resolveTarget()
    const isToRun = isConfirmedOrLocal(target)
    const options = { say: console.log, ...(to === undefined ? {} : { to }) }
    const list = await previewRollback(target, options)
    if (list.length === 0) {
      process.stdout.write(`${target.label}: no migration to undo\n`)
      return
    }
    process.stdout.write(`${target.label}: to undo, newest first:\n${list.map((one) => `  ${fileName(one)}\n`).join('')}`)
    if (!isToRun) {
      process.stdout.write(previewLine(makeLine({ CONFIRM: target.database })))
      return
    }
    const undone = await rollback(target, options)
    process.stdout.write(`${target.label}: ${undone.length} undone\n`)
  })
