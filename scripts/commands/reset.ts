import { rm } from 'node:fs/promises'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { isConfirmed, previewLine } from '../core/confirm.ts'
import { Failure } from '../core/failure.ts'
import type { Target } from '../core/target.ts'

export const command = new LeoCommand({
  name: 'reset',
  summary: "Remove the embedded PostgreSQL's data, or empty a local DATABASE_URL",
  example: 'reset',
  reads: ['DATABASE_URL', 'CONFIRM'],
}).run(async (_, { makeLine }) => {
  const { targetFromEnvironment } = await import('../core/target.ts')
  const target = targetFromEnvironment()
  if (!target) return removeEmbedded()
  if (!target.isLocal) {
    throw new Failure(
      `reset refuses to touch ${target.label}: it is not on this machine`,
      'unset DATABASE_URL to reset the embedded server',
    )
  }
  if (isConfirmed(target.database)) return emptyDatabase(target)
  process.stdout.write(
    `${target.label}: reset would drop the schemas public, private and dbmate and all objects in them\n` +
      previewLine(makeLine({ CONFIRM: target.database })),
  )
})

async function removeEmbedded(): Promise<void> {
  const { fromRoot } = await import('../core/paths.ts')
  const { devFolder, removeDevServer } = await import('../postgres/server.ts')
  const folder = devFolder()
  await removeDevServer()
  await rm(fromRoot('.local', 'env'), { force: true })
  process.stdout.write(`removed ${folder}; make up creates it again\n`)
}

async function emptyDatabase(target: Target): Promise<void> {
  const { orFailure, withClient } = await import('../core/connect.ts')
  await withClient(target, (client) =>
    orFailure(target, () =>
      client.query(`
        drop schema if exists dbmate, private, public cascade;
        create schema public authorization pg_database_owner;
        grant usage on schema public to public, anon, authenticated, service_role`),
    ),
  )
  process.stdout.write(`emptied ${target.label}; make up fills it again\n`)
}
