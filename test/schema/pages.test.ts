import { readFile } from 'node:fs/promises'
import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes as Tree } from 'parse5'
import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { readCatalog } from '../../scripts/schema/catalog/read.ts'
import { labelOf, type Catalog } from '../../scripts/schema/catalog/model.ts'
import { inHtml } from '../../scripts/schema/diff/html.ts'
import { docsPage } from '../../scripts/schema/docs/page.ts'
import { tableGroups } from '../../scripts/schema/generate/files.ts'
import { anchor } from '../../scripts/schema/render/html.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import { hostile, hostileReport, hostileTable } from './fixtures/pages.ts'

const { owner } = await createMigratedDatabase(t)
const docs = (catalog: Catalog) => docsPage(catalog, tableGroups, '20270101000000')
const catalog = await readCatalog(owner)
const page = await docs(catalog)

/** All elements of a page without an error of syntax. */
function elementsOf(html: string): Tree.Element[] {
  const errors: string[] = []
  const root = parse(html, { onParseError: ({ code }) => errors.push(code) })
  t.strictSame(errors, [])
  const inside = (node: Tree.Node): Tree.Element[] =>
    ('childNodes' in node ? node.childNodes : []).flatMap((child) => [
      ...(defaultTreeAdapter.isElementNode(child) ? [child] : []),
      ...inside(child),
    ])
  return inside(root)
}
const textOf = (node: Tree.Node): string =>
  defaultTreeAdapter.isTextNode(node) ? node.value : 'childNodes' in node ? node.childNodes.map(textOf).join('') : ''
const valuesOf = (elements: readonly Tree.Element[], name: string): string[] =>
  elements.flatMap(({ attrs }) => attrs.filter((one) => one.name === name).map(({ value }) => value))

t.test('the page of the schema has every object of ours, its comment and its rules', async (t) => {
  const text = textOf(parse(page))
  for (const object of catalog.objects) {
    if (!['public', 'private'].includes(object.schema ?? '') || /grant|sequence/.test(object.kind)) continue
    const { comment, using, check } = object.facts
    const missing = [object.name, comment, using, check].filter((one) => one !== undefined && !text.includes(one))
    if (missing.length > 0) t.strictSame(missing, [], labelOf(catalog, object))
  }
  t.notMatch(text, 'no_such_table')
  for (const cell of ['all rows', 'rows where (user_id = ( SELECT auth.uid() AS uid))']) t.ok(text.includes(cell), cell)
})

t.test('the same schema gives the same bytes, in whatever order it was made', async (t) => {
  const { target } = await createEmptyDatabase(t)
  const schema = await readFile(fromRoot('db', 'schema.sql'), 'utf8')
  await withClient(target, (client) => client.query(schema))
  const other = await withClient(target, readCatalog)
  t.not(other.objects.map(({ id }) => id).join(), catalog.objects.map(({ id }) => id).join())
  t.ok((await docs(other)) === page)
  t.ok((await inHtml(hostileReport)) === (await inHtml(hostileReport)))
})

t.test('it leads nowhere but to itself, and each place is there once', async (t) => {
  for (const html of [page, await inHtml(hostileReport)]) {
    const elements = elementsOf(html)
    const ids = valuesOf(elements, 'id')
    t.strictSame(ids, [...new Set(ids)])
    const links = valuesOf(elements, 'href')
    t.ok(links.length > 5)
    t.strictSame(links.filter((link) => !ids.includes(link.replace(/^#/, ''))), [])
    t.strictSame(['src', 'srcset', 'style', 'action'].flatMap((name) => valuesOf(elements, name)), [])
  }
})

t.test('no two names have one anchor', (t) => {
  const names = ['x"', 'x_22_', 'x~22~', 'a b', 'a-b', 'a_b', 'a.b', 'ä', '']
  t.equal(new Set(names.map(anchor)).size, names.length)
  t.end()
})

t.test('what somebody has named is text, wherever it stands', async (t) => {
  await owner.query(hostileTable)
  const schema = await docs(await readCatalog(owner))
  for (const [html, scripts] of [[schema, 1], [await inHtml(hostileReport), 0]] as const) {
    const elements = elementsOf(html)
    const named = (tag: string) => elements.filter(({ tagName }) => tagName === tag)
    t.equal(named('script').length, scripts)
    t.strictSame([...named('img'), ...named('iframe'), ...named('foreignObject')], [])
    t.strictSame(elements.flatMap(({ attrs }) => attrs.filter(({ name }) => name.startsWith('on'))), [])
    for (const tag of ['main', 'svg']) {
      const text = named(tag).map(textOf).join('').replaceAll('\u00a0', ' ')
      t.ok(text.includes(hostile), tag)
    }
    t.match(named('svg').map(textOf).join(''), /written_by/, 'its foreign key is drawn')
  }
})
