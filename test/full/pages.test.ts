import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { readCatalog } from '../../scripts/schema/catalog/read.ts'
import { formatHtml } from '../../scripts/schema/diff/html.ts'
import { docsPage } from '../../scripts/schema/docs/page.ts'
import { tableGroups } from '../../scripts/schema/generate/files.ts'
import { axe, openBrowser, type Page } from '../schema/fixtures/browser.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { baseSchema, createRepository, report } from '../schema/fixtures/diff_repository.ts'
import { hostileReport, hostileTable } from '../schema/fixtures/pages.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const folder = await mkdtemp(join(tmpdir(), 'leo-pages-'))
t.teardown(() => rm(folder, { recursive: true }))
const { owner } = await createMigratedDatabase(t)
const docs = async () => docsPage(await readCatalog(owner), tableGroups, '20270101000000')
const clean = await docs()
await owner.query(hostileTable)
const changed = createRepository(t, baseSchema)
changed.write('20270102000000_change_notes.sql', `
  alter table public.notes add column title text;
  alter table public.notes rename column body to text;
  alter table public.notes alter column weight type bigint;
  drop policy select_own on public.owners;
  create table public.tags (id bigint primary key, note_id bigint references public.notes (id));`)
const pages: Readonly<Record<string, string>> = {
  'the schema': clean,
  'the schema, with a name that is HTML': await docs(),
  'a diff': await formatHtml(await report(changed, { withServer: (work) => work(clusterAdmin()) })),
  'a diff in which every name is HTML': await formatHtml(hostileReport),
}
const tables = (await owner.query<{ table: string }>(
  `select oid::regclass::text as table from pg_class
   where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname !~ '<'
   order by 1`,
)).rows.map(({ table }) => table)

const browser = await openBrowser(t)

interface OpenPage {
  readonly page: Page
  /** Console messages, errors, dialogs, and requests other than for the page itself. */
  readonly events: string[]
}

async function open(t: Test, html: string, { width = 1200, scheme = 'light' } = {}): Promise<OpenPage> {
  const file = join(folder, `${Math.random()}.html`)
  await writeFile(file, html)
  const url = pathToFileURL(file).href
  const page = await browser.newPage()
  t.teardown(() => page.close())
  const events: string[] = []
  page.on('console', ((message: { text(): string }) => events.push(`console: ${message.text()}`)) as never)
  page.on('pageerror', ((error: Error) => events.push(`error: ${error.message}`)) as never)
  page.on('dialog', (() => events.push('dialog')) as never)
  page.on('request', ((request: { url(): string }) => {
    if (request.url() !== url) events.push(`request: ${request.url()}`)
  }) as never)
  await page.setViewport({ width, height: 800 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(url)
  return { page, events }
}

for (const [name, html] of Object.entries(pages)) {
  for (const [width, scheme] of [[1200, 'light'], [1200, 'dark'], [390, 'light'], [390, 'dark']] as const) {
    t.test(`${name} has no errors, fits the width and is accessible: ${width} px, ${scheme}`, async (t) => {
      const { page, events } = await open(t, html, { width, scheme })
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, 'the page does not scroll horizontally')
      const broken = `[...document.querySelectorAll('a[href]')].flatMap((link) => {
        link.click()
        return link.href === location.href && document.querySelector(':target') !== null ? [] : [link.outerHTML]
      })`
      t.strictSame(await page.evaluate(broken), [], 'every link has a target on the page')
      const flat = `[...document.querySelectorAll('svg')].filter((svg) => {
        const { width, height } = svg.getBoundingClientRect()
        return width < 50 || height < 20
      }).length`
      t.ok(Number(await page.evaluate(`document.querySelectorAll('svg').length`)) > 0)
      t.equal(await page.evaluate(flat), 0, 'every drawing has a visible size')
      await page.evaluate(axe())
      const violations = (await page.evaluate(
        `axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>
          id + ' (' + impact + '): ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' | ')))`,
      )) as string[]
      t.strictSame(violations, [])
      t.strictSame(events, [])
    })
  }
}

t.test('the Content Security Policy of a page blocks foreign scripts and images', async (t) => {
  const foreign = '<script>alert(1)</script><img src="https://example.com/x.png">'
  const { events } = await open(t, clean.replace('</main>', `${foreign}</main>`))
  t.notMatch(events, ['dialog'])
  t.ok(events.some((event) => /^console: .*Content Security Policy/.test(event)), events.join('\n'))
})

t.test('a search shows the entries that contain all its words', async (t) => {
  const { page, events } = await open(t, clean)
  const shown = `[...document.querySelectorAll('[data-entry]')]
    .filter((one) => one.checkVisibility())
    .map((one) => one.querySelector('h3').textContent)`
  const all = (await page.evaluate(shown)) as string[]
  t.ok(all.length > 100)
  const search = async (words: string): Promise<string[]> => {
    await page.evaluate(`document.querySelector('input').value = ''`)
    await page.type('input', words)
    return (await page.evaluate(shown)) as string[]
  }
  for (const table of tables) {
    const found = await search(`public.${table}`)
    t.ok(found.includes(`public.${table}`), table)
    t.ok(found.length < all.length, `${table}: other entries are hidden`)
  }
  t.strictSame(await search('leo11 generation_requests.claim:'), [
    'private.lock_generations_within_limit(integer, integer, integer[])',
  ])
  t.strictSame(await search('no such words'), [])
  t.equal(await page.evaluate(`document.querySelector('[role=status]').textContent`), `0 of ${all.length}`)
  const links = `[...document.querySelectorAll('nav li')].filter((one) => one.checkVisibility()).length`
  t.equal(await page.evaluate(links), 0)
  t.strictSame(events, [])
})

t.test('every table is in one of the drawings', async (t) => {
  const { page } = await open(t, clean)
  const texts = `[...document.querySelectorAll('svg')].map((svg) => svg.textContent).join(' ')`
  const drawn = String(await page.evaluate(texts))
  const isTable = (table: string) => !table.startsWith('generation_costs_by_')
  t.strictSame(tables.filter((table) => isTable(table) && !drawn.includes(`public.${table}`)), [])
})
