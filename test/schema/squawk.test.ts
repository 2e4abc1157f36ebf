import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Test, test } from 'tap'
import { lintMigrations } from '../../scripts/schema/lint/squawk.ts'

interface Case {
  readonly title: string
  readonly up: readonly string[]
  readonly down?: string
  readonly transaction?: false
  /** `<line of the up section> <rule>` */
  readonly findings: readonly string[]
}

const timeout = `set local lock_timeout = '3s';`
const drop = ['alter table public.apps', '  drop column "é", drop column b;']

test('the migration linter', (t) =>
  lint(t, [
    {
      title: 'reports an unsafe statement with its line',
      up: [timeout, 'alter table public.apps', '  drop column note;'],
      findings: ['3 ban-drop-column'],
    },
    {
      title: 'requires a lock_timeout',
      up: ['alter table public.apps add column note text;'],
      findings: ['1 require-lock-timeout'],
    },
    {
      title: 'requires no lock_timeout for a single statement outside a transaction',
      up: ['reindex index concurrently public.apps_pkey;'],
      transaction: false,
      findings: [],
    },
    {
      title: 'allows any statement on a table created in the same transaction',
      up: [timeout, 'create table public.apps (id bigint);', 'create index apps_id_idx on public.apps (id);'],
      findings: [],
    },
    {
      title: 'does not require `if not exists`',
      up: ['create index concurrently apps_id_idx on public.apps (id);'],
      transaction: false,
      findings: [],
    },
    { title: 'does not check the down section', up: ['select 1;'], down: 'drop table public.apps;', findings: [] },
  ]))

test('a suppression', (t) =>
  lint(t, [
    {
      title: 'covers its whole statement',
      up: [timeout, '-- squawk-ignore ban-drop-column: no service reads them', ...drop],
      findings: [],
    },
    {
      title: 'covers no other statement, not even one that begins on the same line',
      up: [
        timeout,
        '-- squawk-ignore ban-drop-column: no service',
        '-- reads it',
        'alter table a drop column "é"; alter table a drop column b;',
      ],
      findings: ['4 ban-drop-column'],
    },
    {
      title: 'can be followed by another one',
      up: ['-- squawk-ignore ban-drop-column: no service reads them', '-- squawk-ignore require-lock-timeout: small table', ...drop],
      findings: [],
    },
    {
      title: 'without a matching finding is itself a finding',
      up: [timeout, '-- squawk-ignore renaming-table: no service reads it', ...drop],
      findings: ['2 squawk-ignore', '4 ban-drop-column', '4 ban-drop-column'],
    },
    {
      title: 'must be directly above the statement',
      up: [timeout, '-- squawk-ignore ban-drop-column: no service reads them', '', ...drop],
      findings: ['2 squawk-ignore', '5 ban-drop-column', '5 ban-drop-column'],
    },
    {
      title: 'must not be inside the statement',
      up: [timeout, 'alter table public.apps', '-- squawk-ignore ban-drop-column: no service reads it', 'drop column a;'],
      findings: ['3 squawk-ignore', '4 ban-drop-column'],
    },
    {
      title: 'cannot disable the assumption of a transaction',
      up: ['-- squawk-disable-assume-in-transaction', timeout, 'create table public.apps (id bigint);'],
      findings: ['1 squawk-ignore'],
    },
    ...[
      '-- squawk-ignore ban-drop-column',
      '-- squawk-ignore ban-drop-column:',
      '-- squawk-ignore ban-drop-column -- no service reads them',
      '-- squawk-ignore ban-drop-column, renaming-table: no service reads them',
      '/* squawk-ignore ban-drop-column */',
      '-- squawk-ignore-file ban-drop-column',
      '-- squawk-ignore',
    ].map((line) => ({
      title: `without a rule or a reason is a finding: ${line}`,
      up: [timeout, line, ...drop],
      findings: ['2 squawk-ignore', '4 ban-drop-column', '4 ban-drop-column'],
    })),
  ]))

async function lint(t: Test, cases: readonly Case[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const name = (index: number) => `${20260101000000 + index}_change_apps.sql`
  await Promise.all(
    cases.map(({ up, down = 'select 1;', transaction = true }, index) => {
      const option = transaction ? '' : ' transaction:false'
      const text = [`-- migrate:up${option}`, ...up, '', '-- migrate:down', down, '']
      return writeFile(join(folder, name(index)), text.join('\n'))
    }),
  )

  const findings = await lintMigrations(folder)
  for (const [index, { title, findings: expected }] of cases.entries()) {
    const found = findings.filter(({ file }) => basename(file) === name(index))
    t.strictSame(found.map(({ line, rule }) => `${line - 1} ${rule}`), expected, title)
  }
}
