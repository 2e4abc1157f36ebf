import { readMatrix } from '../diff/cells.ts'
import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'
import type { TableGroups } from '../generate/diagram.ts'
import { loadDrawer } from '../render/svg.ts'
import { anchor, escapeHtml, figure, inPage } from '../render/html.ts'
import { style } from '../render/style.ts'
import { drawGroup, drawWhole } from './drawings.ts'
import type { Known } from './entry.ts'
import { restOf } from './rest.ts'
import { search } from './search.ts'
import { tableSection } from './table.ts'

/** What Supabase brings is not ours to describe. */
const schemas = ['public', 'private']

/**
 * The schema as it stands, for people: every object of ours, searchable. What has no place of its own is in the last
 * section, so that nothing is left out.
 *
 * @param version its newest migration.
 */
export async function docsPage(catalog: Catalog, groups: TableGroups, version: string): Promise<string> {
  const draw = await loadDrawer()
  const known: Known = {
    catalog,
    parts: (id, kind) => catalog.objects.filter((one) => one.parent === id && one.kind === kind),
    matrix: readMatrix(catalog, 'name'),
  }
  const tables = catalog.objects.filter(
    ({ kind, schema }) => /^(partitioned |foreign )?table$|view$/.test(kind) && schemas.includes(schema!),
  )
  const grouped = (names: readonly string[]) => names.flatMap((name) => tables.find((one) => isPublic(one, name)) ?? [])
  const chapters: [title: string, tables: readonly CatalogObject[], drawing: string][] = [
    ...Object.entries(groups).map(([title, names]): [string, CatalogObject[], string] => [
      title,
      grouped(names),
      figure(draw(drawGroup(catalog, names), title), title),
    ]),
    ['Other tables', tables.filter((one) => isTable(one) && !Object.values(groups).flat().includes(one.name)), ''],
    ['Views', tables.filter(({ kind, schema }) => kind.endsWith('view') && schema === 'public'), ''],
    ['Behind the scenes', tables.filter(({ schema }) => schema === 'private'), ''],
  ]
  const shown = chapters.filter(([, all]) => all.length > 0)
  const rest = restOf(known, schemas)
  const body = [
    '<header>',
    '<h1>The schema of leo-saas-schema</h1>',
    `<p class="soft">As of migration ${escapeHtml(version)}: ${tables.length} tables and views, ${rest.counts}.`,
    'Written by <code>make docs</code>.</p>',
    '</header>',
    '<div class="search" role="search" hidden><label>Search tables, columns, comments, policies, functions',
    '<input type="search" autocomplete="off" spellcheck="false"></label>',
    '<span class="soft" role="status"></span></div>',
    '<nav aria-label="Contents">',
    ...shown.map(([title, all]) => contents(title, all.map((one) => labelOf(catalog, one)))),
    contents('Types and functions', rest.titles, (title) => title.replace(/\(.*\)$/, '()')),
    '</nav>',
    '<main>',
    '<section id="picture">',
    '<h2>All tables</h2>',
    figure(draw(drawWhole(catalog), 'All tables of schema public'), 'All tables'),
    '</section>',
    ...shown.flatMap(([title, all, drawing]) => [
      `<h2 id="${anchor(title)}">${escapeHtml(title)}</h2>`,
      drawing,
      ...all.map((one) => tableSection(one, known)),
    ]),
    ...rest.sections,
    '</main>',
  ].join('\n')
  return inPage({ title: 'The schema of leo-saas-schema', body, style, script: search })
}

const isTable = ({ schema, kind }: CatalogObject): boolean => schema === 'public' && kind.endsWith('table')
const isPublic = ({ schema, name }: CatalogObject, wanted: string): boolean => schema === 'public' && name === wanted

const contents = (title: string, entries: readonly string[], short = (entry: string) => entry): string =>
  `<h2>${escapeHtml(title)}</h2>\n<ul>${entries
    .map((entry) => `<li><a href="#${anchor(entry)}">${escapeHtml(short(entry.replace(/^public\./, '')))}</a></li>`)
    .join('')}</ul>`
