import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import process from 'node:process'
import { fromRoot } from '../core/paths.ts'
import { isMet, show } from './compare.ts'
import type { Suite } from './compare.ts'

const page = fromRoot('BENCHMARKS.md')
const picture = fromRoot('docs', 'benchmarks.svg')

/** Writes BENCHMARKS.md. Suites that did not run keep their section. */
export async function writeReport(suites: readonly Suite[], serverVersion: string, names: readonly string[]): Promise<void> {
  const before = await readFile(page, 'utf8').catch(() => '')
  const sections = new Map(names.map((name) => [name, sectionOf(before, name)]))
  for (const suite of suites) sections.set(suite.name, render(suite, machine(serverVersion)))
  const text = [head, ...[...sections.values()].filter((section) => section !== '')].join('\n')
  await writeFile(page, text)
  await writeFile(picture, await plot(pointsIn(text)))
}

const head = `# Benchmarks

\`make bench\` writes this page. It starts its own PostgreSQL server with \`fsync\` on and runs the compared implementations
in turn (\`make bench only="queue import"\` runs some suites). Each round gives one ratio. The tables show the median of all
rounds, with the minimum and maximum in brackets. A missed aim is bold.

![Ratios and their aims](docs/benchmarks.svg)
`

const machine = (serverVersion: string): string =>
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
  `Node ${process.versions.node}, PostgreSQL ${serverVersion}, over loopback`

function render({ name, title, explanation, results }: Suite, on: string): string {
  const rows = results.map((result) => {
    const { what, against, figures, ratio, aim } = result
    const shown = ratio === undefined ? '–' : `${show(ratio)}×`
    const wanted = aim === undefined ? '–' : `${aim.is === 'at least' ? '≥' : '≤'} ${aim.value}${aim.unit === undefined ? '×' : ` ${aim.unit}`}`
    return `| ${what} | ${against} | ${figures} | ${shown} | ${isMet(result) === false ? `**${wanted}, missed**` : wanted} |`
  })
  return `<!-- ${name} -->
## ${title}

${explanation}

| what | against | measured | ratio | aim |
|---|---|---|---|---|
${rows.join('\n')}

On ${on}.
<!-- /${name} -->
`
}

function sectionOf(text: string, name: string): string {
  const start = text.indexOf(`<!-- ${name} -->`)
  const end = text.indexOf(`<!-- /${name} -->`)
  return start === -1 || end === -1 ? '' : `${text.slice(start, end)}<!-- /${name} -->\n`
}

/** Draws each ratio as a point with its spread on a logarithmic axis, and each aim as a tick. */
async function plot(values: readonly Point[]): Promise<string> {
  const specification = {
    data: { values },
    width: 420,
    encoding: { y: { field: 'label', type: 'nominal', sort: null, title: null, axis: { labelLimit: 0 } } },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: {
          x: { field: 'least', type: 'quantitative', scale: { type: 'log' }, title: 'ratio (logarithmic); | is the aim' },
          x2: { field: 'most' },
          color: { value: '#4c78a8' },
        },
      },
      { mark: { type: 'point', filled: true, size: 60 }, encoding: { x: { field: 'median', type: 'quantitative' }, color: { value: '#4c78a8' } } },
      {
        transform: [{ filter: 'isValid(datum.aim)' }],
        mark: { type: 'tick', thickness: 2, size: 16 },
        encoding: { x: { field: 'aim', type: 'quantitative' }, color: { value: '#e45756' } },
      },
    ],
    config: { background: 'white', font: 'sans-serif' },
  }
  const peers = createRequire(fromRoot('scripts', 'bench', 'peers', 'package.json'))
  const vega = (await import(peers.resolve('vega'))) as Vega
  const lite = (await import(peers.resolve('vega-lite'))) as { compile(specification: unknown): { spec: unknown } }
  const view = new vega.View(vega.parse(lite.compile(specification).spec), { renderer: 'none' })
  return `${await view.toSVG()}\n`
}

interface Vega {
  parse(specification: unknown): unknown
  View: new (runtime: unknown, options: object) => { toSVG(): Promise<string> }
}

interface Point {
  readonly label: string
  readonly median: number
  readonly least: number
  readonly most: number
  readonly aim: number | null
}

/** The picture is drawn from the page, so that it includes the suites that did not run. */
function pointsIn(text: string): Point[] {
  const rows = text.matchAll(/^\| (.+?) \| (.+?) \| .+? \| ([\d.]+)(?: \(([\d.]+)–([\d.]+)\))?× \| (?:\*\*)?(?:[≥≤] ([\d.]+)×)?/gm)
  return [...rows].map(([, what, against, median, least = median, most = median, aim]) => ({
    label: `${what} / ${against}`,
    median: Number(median),
    least: Number(least),
    most: Number(most),
    aim: aim === undefined ? null : Number(aim),
  }))
}
