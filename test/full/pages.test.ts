import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { readCatalog } from '../../scripts/schema/catalog/read.ts'
import { inHtml } from '../../scripts/schema/diff/html.ts'
import { docsPage } from '../../scripts/schema/docs/page.ts'
import { tableGroups } from '../../scripts/schema/generate/files.ts'
import { axe, openBrowser, type Page } from '../schema/fixtures/browser.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { createRepository, report, world } from '../schema/fixtures/diff_repository.ts'
import { hostileReport, hostileTable } from '../schema/fixtures/pages.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const folder = await mkdtemp(join(tmpdir(), 'leo-pages-'))
t.teardown(() => rm(folder, { recursive: true }))
const { owner } = await createMigratedDatabase(t)
const docs = async () => docsPage(await readCatalog(owner), tableGroups, '20270101000000')
const clean = await docs()
await owner.query(hostileTable)
const changed = createRepository(t, world)
changed.write('20270102000000_change_notes.sql', `
  alter table public.notes add column title text;
  alter table public.notes rename column body to text;
  alter table public.notes alter column weight type bigint;
  drop policy select_own on public.owners;
  create table public.tags (id bigint primary key, note_id bigint references public.notes (id));`)
const pages: Readonly<Record<string, string>> = {
  'the schema': clean,
  'the schema, with a name that is HTML': await docs(),
  'a diff': await inHtml(await report(changed, { withServer: (work) => work(clusterAdmin()) })),
  'a diff of nothing but such names': await inHtml(hostileReport),
}
const tables = (await owner.query<{ table: string }>(
  `select oid::regclass::text as table from pg_class
   where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname !~ '<'
   order by 1`,
)).rows.map(({ table }) => table)

const browser = await openBrowser(t)

interface Heard {
  readonly page: Page
  /** What was loaded, logged, thrown or asked, but the page itself. */
  readonly heard: string[]
}

async function open(t: Test, html: string, { width = 1200, scheme = 'light' } = {}): Promise<Heard> {
  const file = join(folder, `${Math.random()}.html`)
  await writeFile(file, html)
  const url = pathToFileURL(file).href
  const page = await browser.newPage()
  t.teardown(() => page.close())
  const heard: string[] = []
  page.on('console', ((message: { text(): string }) => heard.push(`console: ${message.text()}`)) as never)
  page.on('pageerror', ((error: Error) => heard.push(`error: ${error.message}`)) as never)
  page.on('dialog', (() => heard.push('dialog')) as never)
  page.on('request', ((request: { url(): string }) => {
    if (request.url() !== url) heard.push(`request: ${request.url()}`)
  }) as never)
  await page.setViewport({ width, height: 800 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(url)
  return { page, heard }
}

for (const [name, html] of Object.entries(pages)) {
  for (const [width, scheme] of [[1200, 'light'], [1200, 'dark'], [390, 'light'], [390, 'dark']] as const) {
    t.test(`${name} is quiet, fits and can be used by everybody: ${width} wide, ${scheme}`, async (t) => {
      const { page, heard } = await open(t, html, { width, scheme })
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, 'nothing sticks out')
      const broken = `[...document.querySelectorAll('a[href]')].flatMap((link) => {
        link.click()
        return link.href === location.href && document.querySelector(':target') !== null ? [] : [link.outerHTML]
      })`
      t.strictSame(await page.evaluate(broken), [], 'every link leads somewhere')
      const flat = `[...document.querySelectorAll('svg')].filter((svg) => {
        const { width, height } = svg.getBoundingClientRect()
        return width < 50 || height < 20
      }).length`
      t.ok(Number(await page.evaluate(`document.querySelectorAll('svg').length`)) > 0)
      t.equal(await page.evaluate(flat), 0, 'every drawing is seen')
      await page.evaluate(axe())
      const violations = (await page.evaluate(
        `axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>
          id + ' (' + impact + '): ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' | ')))`,
      )) as string[]
      t.strictSame(violations, [])
      t.strictSame(heard, [])
    })
  }
}

t.test('the policy of a page stops what does not belong to it', async (t) => {
  const stranger = '<script>alert(1)</script><img src="https://example.com/x.png">'
  const { heard } = await open(t, clean.replace('</main>', `${stranger}</main>`))
  t.notMatch(heard, ['dialog'])
  t.ok(heard.some((what) => /^console: .*Content Security Policy/.test(what)), heard.join('\n'))
})

t.test('a search leaves what has all its words', async (t) => {
  const { page, heard } = await open(t, clean)
  const shown = `[...document.querySelectorAll('[data-entry]')]
    .filter((one) => one.checkVisibility())
    .map((one) => one.querySelector('h3').textContent)`
  const all = (await page.evaluate(shown)) as string[]
  t.ok(all.length > 100)
  const ask = async (words: string): Promise<string[]> => {
    await page.evaluate(`document.querySelector('input').value = ''`)
    await page.type('input', words)
    return (await page.evaluate(shown)) as string[]
  }
  for (const table of tables) {
    const found = await ask(`public.${table}`)
    t.ok(found.includes(`public.${table}`), table)
    t.ok(found.length < all.length, `${table} and not everything`)
  }
  t.strictSame(await ask('leo11 generation_requests.claim:'), [
    'private.lock_generations_within_limit(integer, integer, integer[])',
  ])
  t.strictSame(await ask('no such words'), [])
  t.equal(await page.evaluate(`document.querySelector('[role=status]').textContent`), `0 of ${all.length}`)
  const links = `[...document.querySelectorAll('nav li')].filter((one) => one.checkVisibility()).length`
  t.equal(await page.evaluate(links), 0)
  t.strictSame(heard, [])
})

t.test('every table is in a drawing', async (t) => {
  const { page } = await open(t, clean)
  const texts = `[...document.querySelectorAll('svg')].map((svg) => svg.textContent).join(' ')`
  const drawn = String(await page.evaluate(texts))
  const isTable = (table: string) => !table.startsWith('generation_costs_by_')
  t.strictSame(tables.filter((table) => isTable(table) && !drawn.includes(`public.${table}`)), [])
})
