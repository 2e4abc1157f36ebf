import process from 'node:process'
import { TestKms } from '../../../test/fixtures/kms.ts'

/** KMS in a process of its own, so that its work is not counted as ours. Says where it is, and its calls when asked. */

const kms = await TestKms.start()
kms.latency = Number(process.argv[2])
const arn = kms.keys.create()
process.on('message', () => process.send?.({ calls: kms.takeCalls() }))
process.on('disconnect', () => process.exit())
process.send?.({ endpoint: kms.endpoint, arn })
