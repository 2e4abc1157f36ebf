import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import t from 'tap'
import { secretToTokens, SecretValue } from '../../db/secrets/index.ts'
import type { SealedSecret } from '../../db/secrets/index.ts'
import type { Fault } from '../fixtures/kms.ts'
import { plaintext } from '../fixtures/leaks.ts'
import { printEveryWay, encodingsOf } from '../fixtures/prints.ts'
import { context, contexts, cacheLimits, secret, startKms } from '../fixtures/secret_boxes.ts'

const hidden = new SecretValue(plaintext)

t.test('a secret is redacted in every output', (t) => {
  const known = encodingsOf(plaintext)
  for (const print of printEveryWay(hidden)) t.notOk(known.some((text) => print.includes(text)), print)
  t.equal(`${hidden}`, '[secret]')
  t.equal(inspect(hidden), 'SecretValue [secret]')
  t.strictSame(Reflect.ownKeys(hidden), [])
  t.ok(Object.isFrozen(hidden))
  t.ok(printEveryWay(plaintext).every((print) => print.includes(plaintext)), 'the search finds a revealed secret')
  t.end()
})

/** The output of a service until it crashes. */
const printed = (...args: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('fixtures/print_secrets.js', import.meta.url))
    execFile(process.execPath, [script, ...args], { env: { NODE_ENV: 'test' } }, (error, stdout, stderr) => {
      if (error?.code === 1) resolve(stdout + stderr)
      else reject(new Error('the service did not crash', { cause: error }))
    })
  })

t.test('a service prints, logs and crashes without revealing a secret', async (t) => {
  const [output, revealed] = await Promise.all([printed(), printed('reveal')])
  t.match(output, /"msg":".*\[secret\]/, 'pino logged a redacted one')
  t.match(output, /Error: a secret as the cause[^]*\[cause\]: SecretValue \[secret\]/, 'Node.js printed a redacted one at the crash')
  for (const text of encodingsOf(plaintext)) t.notOk(output.includes(text), text)
  t.ok(revealed.includes(plaintext), 'the search finds a revealed secret')
})

const answers = ['ThrottlingException', 'AccessDeniedException', 'KMSInternalException'].map((error) => ({ error }))
const faults: readonly Fault[] = [...answers, 'drop', 'tail', 'page', 'stall']

t.test('no error contains a secret, a data key or a sealed text', async (t) => {
  const { kms, arn, boxOf, box } = await startKms(t)
  const sealed = await box.seal(context, hidden)
  const foreign = await box.seal(context, secret())
  const others = [boxOf({ deadlineMs: 300 }), boxOf({ deadlineMs: 300 }, { cache: cacheLimits })]
  const refusalOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => Promise.reject(new Error('the call did not reject')),
      (error: unknown) => error,
    )
  const refusalsOf = (calls: readonly Promise<unknown>[]): Promise<unknown[]> => Promise.all(calls.map(refusalOf))
  const errors: unknown[] = []
  for (const fault of faults) {
    kms.injectFault(fault)
    const calls = others.flatMap((one) => [
      one.seal(context, hidden),
      one.open(context, sealed),
      one.rewrap(context, sealed),
    ])
    errors.push(...(await refusalsOf(calls)))
    kms.clearFaults()
  }
  const forged = [...sealed.split('.').slice(0, 4), foreign.split('.')[4]].join('.')
  const read = (text: string): Promise<unknown> => box.open(context, text as SealedSecret)
  const calls = [
    read(forged),
    read(`${sealed}.${plaintext}`),
    read(plaintext),
    read(sealed.replace(arn, `${arn}0`)),
    box.open(contexts['a setting'], sealed),
    box.open(context, sealed).then(secretToTokens),
    box.seal({ table: 'deployment_config', key: `${plaintext}\n` }, hidden),
  ]
  errors.push(...(await refusalsOf(calls)))
  t.equal(errors.length, faults.length * 6 + 7)
  const forbidden = [...encodingsOf(plaintext), ...sealed.split('.').slice(3), 'JSON']
  for (const error of errors) {
    const prints = printEveryWay(error)
    t.notOk(
      prints.some((print) => forbidden.some((text) => print.includes(text))),
      String(error),
    )
  }
})

t.test('the original error of the KMS client does contain a data key', async (t) => {
  const { kms, arn } = await startKms(t)
  const client = new KMSClient({ endpoint: kms.endpoint, region: 'eu-central-1' })
  const CiphertextBlob = kms.keys.encrypt(kms.keys.find(arn), Buffer.alloc(32), {})
  kms.injectFault('tail')
  const error: unknown = await client.send(new DecryptCommand({ CiphertextBlob })).catch((error: unknown) => error)
  client.destroy()
  t.match(String(error), /"A{10}".* is not valid JSON/, 'ten characters of a data key')
})
