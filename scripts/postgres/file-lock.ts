import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { claim, claims, orphans } from '../../db/testing/claims.ts'
import { Failure } from '../core/failure.ts'

/**
 * Runs `body` while no other call with this prefix runs, in this process or another.
 * Each call creates its own lock file and then checks for others. If the owner of another one is alive, it removes its file
 * and tries again. So at least one of two concurrent calls sees the other, and the file of a killed process does not block.
 */
export async function withFileLock<T>(prefix: string, body: () => Promise<T>): Promise<T> {
  const lock = claim(`${prefix}.lock`)
  try {
    for (const deadline = Date.now() + 60_000; ; await sleep(20 + Math.random() * 40)) {
      writeFileSync(lock, '')
      const holder = claims(`${prefix}.lock`).find(({ isAlive, path }) => isAlive && path !== lock)
      if (!holder) break
      rmSync(lock)
      if (Date.now() < deadline) continue
      throw new Failure(`process ${holder.pid} has locked ${prefix} for a minute`, `stop it, or remove ${holder.path}`)
    }
    for (const path of orphans(`${prefix}.lock`)) rmSync(path, { force: true })
    return await body()
  } finally {
    rmSync(lock, { force: true })
  }
}
