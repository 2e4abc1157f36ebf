import t from 'tap'
import { listSources } from '../../scripts/test-runner/compile.ts'
import { dependentsOf, importGraph, readImportGraph } from '../../scripts/test-runner/import-graph.ts'

t.test('a file depends on its imports; through an index only on the modules of the imported names', (t) => {
  const graph = importGraph(new Map([
    ['db/index.ts', 'import * as apps from "./apps.js";\nimport { a } from "./a.js";\nexport * from "./all.js";\nexport {\n  a as b,\n  apps\n};\n'],
    ['one.ts', 'import { apps } from "./db/index.js";\nconsole.log(apps);\n'],
    ['two.ts', 'import {\n  b\n} from "./db/index.js";\nconsole.log(b);\n'],
    ['all.ts', 'import * as db from "./db/index.js";\nconsole.log(db);\n'],
    ['lazy.ts', 'const db = await import("./db/index.js");\n'],
  ]))
  const needs = (source: string) => [...graph.get(source)!].sort()
  t.strictSame(needs('one.ts'), ['db/all.ts', 'db/apps.ts', 'db/index.ts'])
  t.strictSame(needs('two.ts'), ['db/a.ts', 'db/all.ts', 'db/index.ts'])
  for (const whole of ['all.ts', 'lazy.ts']) t.strictSame(needs(whole), ['db/a.ts', 'db/all.ts', 'db/apps.ts', 'db/index.ts'])
  t.strictSame([...dependentsOf(graph, ['db/apps.ts'])].sort(), ['all.ts', 'db/apps.ts', 'lazy.ts', 'one.ts'])
  t.end()
})

t.test('in this repository', async (t) => {
  const graph = await readImportGraph(await listSources())
  const affected = (...changed: string[]) => dependentsOf(graph, changed)
  const cases: readonly [changed: string, is: string, isNot: string][] = [
    ['db/queries/apps.ts', 'test/queries/queries_apps.test.ts', 'test/queries/queue_leases.test.ts'],
    ['scripts/commands/verify.ts', 'test/schema/verify.test.ts', 'test/operate/doctor.test.ts'],
    ['README.md', 'test/schema/docs.test.ts', 'test/database/apps.test.ts'],
    ['test/example/api.ts', 'test/example/example_service.test.ts', 'test/database/apps.test.ts'],
    ['test/fixtures/database.ts', 'test/database/apps.test.ts', 'test/core/database_url.test.ts'],
    ['db/testing/keeper.ts', 'test/testing/testing.test.ts', 'test/database/apps.test.ts'],
  ]
  for (const [changed, is, isNot] of cases) {
    t.ok(affected(changed).has(is), `${changed} is needed by ${is}`)
    t.notOk(affected(changed).has(isNot), `${changed} is not needed by ${isNot}`)
  }
})
