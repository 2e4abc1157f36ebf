import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { claim, claims, orphans } from '../../db/testing/claims.ts'
import { Failure } from '../core/failure.ts'

/**
 * Runs `body` while no other call with this prefix runs, in this process or another.
 * A lock file is laid before the others are looked at, and taken back when one of them is in use: of two that come
 * together at least one sees the other, and a file that a killed process left needs no breaking, only removing.
 */
export async function exclusively<T>(prefix: string, body: () => Promise<T>): Promise<T> {
  const lock = claim(`${prefix}.lock`)
  try {
    for (const giveUp = Date.now() + 60_000; ; await sleep(20 + Math.random() * 40)) {
      writeFileSync(lock, '')
      const holder = claims(`${prefix}.lock`).find(({ isAlive, path }) => isAlive && path !== lock)
      if (!holder) break
      rmSync(lock)
      if (Date.now() < giveUp) continue
      throw new Failure(`process ${holder.pid} has locked ${prefix} for a minute`, `end it, or remove ${holder.path}`)
    }
    for (const path of orphans(`${prefix}.lock`)) rmSync(path, { force: true })
    return await body()
  } finally {
    rmSync(lock, { force: true })
  }
}
