import process from 'node:process'
import { TestKms } from '../../../test/fixtures/kms.ts'

/**
 * A fake KMS in its own process, so that its CPU time is not counted. It sends its endpoint, and on each message the number of
 * calls since the last one.
 */

const kms = await TestKms.start()
kms.latency = Number(process.argv[2])
const arn = kms.keys.create()
process.on('message', () => process.send?.({ calls: kms.takeCalls() }))
process.on('disconnect', () => process.exit())
process.send?.({ endpoint: kms.endpoint, arn })
