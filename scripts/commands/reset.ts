import { rm } from 'node:fs/promises'
import process from 'node:process'
import { orFailure, withClient } from '../core/connect.ts'
import { targetFromEnvironment } from '../core/target.ts'
import { Failure, main } from '../core/failure.ts'
import { fromRoot } from '../core/paths.ts'
import { devFolder, removeDevServer } from '../postgres/server.ts'

await main(async () => {
  const named = targetFromEnvironment()
  if (!named) {
    const folder = devFolder()
    await removeDevServer()
    await rm(fromRoot('.local', 'env'), { force: true })
    process.stdout.write(`removed ${folder}; make up starts afresh\n`)
    return
  }
  if (!named.isLocal) {
    throw new Failure(
      `reset refuses to touch ${named.label}: it is not on this machine`,
      'unset DATABASE_URL to reset the embedded server',
    )
  }
  if (process.env['CONFIRM'] !== named.database) {
    throw new Failure(
      `reset would drop the schemas public, private and dbmate of ${named.label} with everything in them`,
      `say so: make reset CONFIRM=${named.database}`,
    )
  }
  await withClient(named, (client) =>
    orFailure(named, () =>
      client.query(`
        drop schema if exists dbmate, private, public cascade;
        create schema public authorization pg_database_owner;
        grant usage on schema public to public, anon, authenticated, service_role`),
    ),
  )
  process.stdout.write(`emptied ${named.label}; make up fills it again\n`)
})
